//! Groups the fragments of a track to segments. Pure.

use std::collections::BTreeSet;
use vidp_cmaf::{Fragment, Track};
use vidp_contract::Segment;
use vidp_worker::ffmpeg::TICKS;

/// Seconds of a segment.
const SECONDS: f64 = 4.0;
/// Seconds by which a segment may be shorter: key frames are at the picture nearest to their time.
const EARLY: f64 = 0.25;

/// The time of a fragment in [`TICKS`]. Tracks may have other time scales.
fn ticks(track: &Track, fragment: &Fragment) -> i64 {
    let time = u128::from(fragment.decode_time) * u128::from(TICKS) + u128::from(track.timescale) / 2;
    i64::try_from(time / u128::from(track.timescale)).unwrap_or(i64::MAX)
}

/// Times at which segments begin in all of these tracks, so that a player can change from one to another there, in [`TICKS`].
///
/// Each time is a fragment of every track. Encoders also set key frames of their own, which other renditions lack.
pub(super) fn boundaries(tracks: &[&Track]) -> Vec<i64> {
    let times = |track: &&Track| -> BTreeSet<i64> {
        let fragments = track.fragments.iter();
        fragments.map(|fragment| ticks(track, fragment)).collect()
    };
    let common = tracks.iter().map(times).reduce(|one, other| &one & &other);
    let least = ((SECONDS - EARLY) * f64::from(TICKS)) as i64;
    let mut places: Vec<i64> = Vec::new();
    for time in common.unwrap_or_default() {
        if places.last().is_none_or(|last| time - last >= least) {
            places.push(time);
        }
    }
    places
}

/// The segments of a track that begin at these places, and at the first fragment.
pub(super) fn segments(track: &Track, places: &[i64]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut fragments = track.fragments.iter().peekable();
    while let Some(fragment) = fragments.next() {
        // A picture without a successor at once lasts until the next one.
        let end = fragments.peek().map_or(fragment.end(), |next| next.decode_time);
        let duration = end.saturating_sub(fragment.decode_time);
        match segments.last_mut() {
            Some(segment) if places.binary_search(&ticks(track, fragment)).is_err() => {
                segment.size += fragment.size;
                segment.duration += duration;
            }
            _ => segments.push(Segment {
                size: fragment.size,
                duration,
                first_sample: fragment.first_sample_end,
            }),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use vidp_cmaf::Kind;

    /// A track with key frames at these milliseconds, which ends at the last one.
    fn track(timescale: u32, times: &[u64]) -> Track {
        let fragment = |pair: &[u64]| {
            let ticks = |time: u64| time * u64::from(timescale) / 1000;
            Fragment {
                offset: 0,
                size: 100,
                decode_time: ticks(pair[0]),
                duration: ticks(pair[1]) - ticks(pair[0]),
                samples: 1,
                first_pts: 0,
                last_pts: 0,
                starts_with_sync: true,
                first_sample_end: 50,
            }
        };
        Track {
            init: 100,
            kind: Kind::Video,
            timescale,
            codec: "avc1.64001f".to_owned(),
            fragments: times.windows(2).map(fragment).collect(),
        }
    }

    fn seconds(track: &Track, places: &[i64]) -> Vec<f64> {
        let ticks = segments(track, places)
            .into_iter()
            .map(|segment| segment.duration);
        ticks
            .map(|ticks| ticks as f64 / f64::from(track.timescale))
            .collect()
    }

    #[test]
    fn segments_have_four_seconds_and_begin_at_common_key_frames() {
        let one = track(90_000, &[0, 2000, 4000, 4100, 6000, 8000, 10_000]);
        let other = track(1000, &[0, 1300, 2000, 4000, 6000, 8000, 10_000]);
        let places = boundaries(&[&one, &other]);
        assert_eq!(places, [0, 480_000, 960_000]);
        assert_eq!(seconds(&one, &places), [4.0, 4.0, 2.0]);
        assert_eq!(seconds(&other, &places), [4.0, 4.0, 2.0]);
        let sizes: Vec<u64> = segments(&one, &places).iter().map(|one| one.size).collect();
        assert_eq!(sizes, [200, 300, 100]);
    }

    #[test]
    fn a_key_frame_may_be_a_picture_early_and_a_hole_belongs_to_the_segment_before() {
        let early = track(1000, &[0, 2030, 3970, 6000, 8000]);
        assert_eq!(seconds(&early, &boundaries(&[&early])), [3.97, 4.03]);
        let mut hole = track(1000, &[0, 2000, 4000, 6000]);
        hole.fragments.remove(1);
        assert_eq!(seconds(&hole, &boundaries(&[&hole])), [4.0, 2.0]);
    }

    #[test]
    fn the_first_fragment_begins_a_segment_at_any_time() {
        let late = track(1000, &[500, 2500, 4500, 6500]);
        assert_eq!(boundaries(&[&late]), [60_000, 540_000]);
        assert_eq!(seconds(&late, &[]), [6.0]);
    }
}
