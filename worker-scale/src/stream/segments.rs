//! Groups the fragments of a track to segments. Pure.

use std::collections::BTreeSet;
use vidp_cmaf::{Fragment, Track};
use vidp_contract::Segment;
use vidp_worker::ffmpeg::TICKS;

/// Seconds of a segment.
const SECONDS: f64 = 4.0;
/// Seconds by which a segment may be shorter: key frames are at the picture nearest to their time.
const EARLY: f64 = 0.25;

/// Seconds that a segment may have at most before a rendition gets its own places.
const MAX_SECONDS: f64 = 8.0;

/// The time of a fragment's first picture in the ticks of the track.
///
/// The decode time does not serve: where a rate varies, it is the time of an earlier picture.
pub(crate) fn begins(fragment: &Fragment) -> u64 {
    fragment.first_pts.max(0).cast_unsigned()
}

/// A time of the track in [`TICKS`]. Tracks may have other time scales.
fn scaled(track: &Track, time: u64) -> i64 {
    let time = u128::from(time) * u128::from(TICKS) + u128::from(track.timescale) / 2;
    i64::try_from(time / u128::from(track.timescale)).unwrap_or(i64::MAX)
}

/// The time of a fragment's first picture in [`TICKS`].
fn ticks(track: &Track, fragment: &Fragment) -> i64 {
    scaled(track, begins(fragment))
}

fn times(track: &Track) -> BTreeSet<i64> {
    let fragments = track.fragments.iter();
    fragments.map(|fragment| ticks(track, fragment)).collect()
}

/// Places about 4 s apart, of these times.
fn spaced(times: &BTreeSet<i64>) -> Vec<i64> {
    let least = ((SECONDS - EARLY) * f64::from(TICKS)) as i64;
    let mut places: Vec<i64> = Vec::new();
    for time in times {
        if places.last().is_none_or(|last| time - last >= least) {
            places.push(*time);
        }
    }
    places
}

/// The longest segment that begins at these places of a track that ends at `end`, in [`TICKS`].
fn longest(places: &[i64], end: i64) -> i64 {
    let ends = places.iter().skip(1).chain([&end]);
    let lengths = places.iter().zip(ends).map(|(start, end)| end - start);
    lengths.max().unwrap_or(0)
}

/// Times at which the segments of each track begin, in [`TICKS`]. Tracks share them where they can, so that a player can change from one to
/// another there.
///
/// Each time is a fragment of its track. Encoders also set key frames that other renditions lack. A track that shares too
/// few with the others, as a copy or one that was encoded again, gets its own.
pub(crate) fn boundaries(tracks: &[&Track]) -> Vec<Vec<i64>> {
    let most = (MAX_SECONDS * f64::from(TICKS)) as i64;
    // Tracks that share places: their common times, and their numbers.
    let mut groups: Vec<(BTreeSet<i64>, Vec<usize>)> = Vec::new();
    for (number, track) in tracks.iter().enumerate() {
        let own = times(track);
        let end = track.fragments.last().map_or(0, |last| scaled(track, last.end()));
        let longest_own = longest(&spaced(&own), end);
        let shared = groups.iter_mut().find_map(|(times, members)| {
            let both: BTreeSet<i64> = &*times & &own;
            let begins = both.first() == own.first() && both.first() == times.first();
            let fits = begins && longest(&spaced(&both), end) <= most.max(longest_own);
            fits.then_some((times, members, both))
        });
        match shared {
            Some((times, members, both)) => {
                *times = both;
                members.push(number);
            }
            None => groups.push((own, vec![number])),
        }
    }
    let places_of = |number: usize| {
        let mut found = groups.iter().filter(|(_, members)| members.contains(&number));
        found.next().map_or_else(Vec::new, |(times, _)| spaced(times))
    };
    (0..tracks.len()).map(places_of).collect()
}

/// The segments of a track that begin at these places, and at the first fragment.
pub(crate) fn segments(track: &Track, places: &[i64]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut fragments = track.fragments.iter().peekable();
    while let Some(fragment) = fragments.next() {
        // A picture without a successor at once lasts until the next one.
        let end = fragments.peek().map_or(fragment.end(), |next| begins(next));
        let duration = end.saturating_sub(begins(fragment));
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

/// Moves the ends of a part's segments to the cuts of its film, so that parts follow each other without a gap: the part lasts from `from`
/// to `to`, in the ticks of its track. `begins` is the time of the first picture.
///
/// Returns false when the last segment would last no time.
pub(crate) fn fill(segments: &mut [Segment], begins: u64, from: u64, to: u64) -> bool {
    let Some(first) = segments.first_mut() else {
        return false;
    };
    first.duration += begins.saturating_sub(from);
    let all: u64 = segments.iter().map(|one| one.duration).sum();
    let (Some(last), Some(length)) = (segments.last_mut(), to.checked_sub(from)) else {
        return false;
    };
    let before = all - last.duration;
    last.duration = length.saturating_sub(before);
    last.duration > 0
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
                first_pts: ticks(pair[0]).cast_signed(),
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
        let all = boundaries(&[&one, &other]);
        assert_eq!(all[0], all[1]);
        let places = &all[0];
        assert_eq!(*places, [0, 480_000, 960_000]);
        assert_eq!(seconds(&one, places), [4.0, 4.0, 2.0]);
        assert_eq!(seconds(&other, places), [4.0, 4.0, 2.0]);
        let sizes: Vec<u64> = segments(&one, places).iter().map(|one| one.size).collect();
        assert_eq!(sizes, [200, 300, 100]);
    }

    #[test]
    fn a_key_frame_may_be_a_picture_early_and_a_hole_belongs_to_the_segment_before() {
        let early = track(1000, &[0, 2030, 3970, 6000, 8000]);
        assert_eq!(seconds(&early, &boundaries(&[&early])[0]), [3.97, 4.03]);
        let mut hole = track(1000, &[0, 2000, 4000, 6000]);
        hole.fragments.remove(1);
        assert_eq!(seconds(&hole, &boundaries(&[&hole])[0]), [4.0, 2.0]);
    }

    #[test]
    fn a_track_with_other_key_frames_has_its_own_places() {
        let regular = |step: u64| track(1000, &(0..=20).map(|n| n * step).collect::<Vec<_>>());
        let (one, copied, two) = (regular(2000), regular(1480), regular(2000));
        for all in [
            boundaries(&[&copied, &one, &two]),
            boundaries(&[&one, &copied, &two]),
        ] {
            // The second place is that of the first segment's end.
            let mut second: Vec<i64> = all.iter().map(|places| places[1]).collect();
            second.sort_unstable();
            assert_eq!(second, [4000 * 120, 4000 * 120, 4440 * 120]);
        }
    }

    #[test]
    fn the_time_of_the_picture_counts_and_not_that_of_its_decoding() {
        let mut late = track(1000, &[0, 2000, 4000, 8000]);
        late.fragments[2].first_pts = 7920;
        assert_eq!(seconds(&late, &boundaries(&[&late])[0]), [7.92, 0.08]);
    }

    #[test]
    fn a_part_lasts_from_cut_to_cut() {
        let part = track(1000, &[10_020, 12_000, 14_000, 15_900]);
        let mut all = segments(&part, &boundaries(&[&part])[0]);
        let begins = begins(&part.fragments[0]);
        assert!(fill(&mut all, begins, 10_000, 16_000));
        let lengths: Vec<u64> = all.iter().map(|one| one.duration).collect();
        assert_eq!(lengths, [4000, 2000]);
        assert!(!fill(&mut all, begins, 10_000, 14_000), "nothing is left");
        assert!(!fill(&mut all, begins, 10_000, 9_000));
        assert!(!fill(&mut [], 0, 0, 1000));
    }

    #[test]
    fn the_first_fragment_begins_a_segment_at_any_time() {
        let late = track(1000, &[500, 2500, 4500, 6500]);
        assert_eq!(boundaries(&[&late])[0], [60_000, 540_000]);
        assert_eq!(seconds(&late, &[]), [6.0]);
    }
}
