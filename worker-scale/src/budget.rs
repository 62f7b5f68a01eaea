//! Size limits and bitrates of renditions. Pure.

use crate::sound::track::weight;
use vidp_contract::ScaleOptions;
use vidp_worker::ffmpeg::Probe;

/// Bits per second of a stereo track, unless the source has less.
const MAX_AUDIO: u64 = 128_000;
/// Bits per second of an audio track at least: below this rate speech is not intelligible.
pub(crate) const MIN_AUDIO: u64 = 24_000;
/// Bits per second of video at least: below this rate the picture is not recognisable.
pub(crate) const MIN_VIDEO: u64 = 16_000;
/// Audio tracks of a rendition at most.
pub(crate) const MAX_TRACKS: usize = 8;

/// Bitrates of one rendition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Bits per second of video.
    pub(crate) video: u64,
    /// Bits per second of each stereo track.
    pub(crate) audio: u64,
}

/// Limit of a rendition's size in bytes: the source's bytes, and the caller's `max_size_mb`.
pub(crate) fn max_bytes(probe: &Probe, options: &ScaleOptions) -> u64 {
    let source = probe.facts.size;
    requested_bytes(options).map_or(source, |requested| requested.min(source))
}

/// The caller's limit of a rendition's size in bytes.
pub(crate) fn requested_bytes(options: &ScaleOptions) -> Option<u64> {
    options.max_size_mb.map(|mb| (mb * 1e6) as u64)
}

/// Number of stereo tracks that need as many bits as all tracks of a rendition.
pub(crate) fn stereo_tracks(probe: &Probe, options: &ScaleOptions) -> u64 {
    let tracks = probe.audio.iter().take(MAX_TRACKS);
    tracks.map(|track| weight(track, options.audio_layout)).sum()
}

/// Bits per second of each stereo track: never more than the source's best track has.
pub(crate) fn audio_bitrate(probe: &Probe) -> u64 {
    let source = probe.audio.iter().filter_map(|track| track.bitrate).max();
    source.map_or(MAX_AUDIO, |bits| bits.clamp(MIN_AUDIO, MAX_AUDIO))
}

/// Bits per second of the source's video. It is computed from the file's bitrate when the stream states none.
pub(crate) fn source_video_bitrate(probe: &Probe) -> u64 {
    let stated = probe.video.as_ref().and_then(|video| video.bitrate);
    let audio: u64 = probe.audio.iter().map(|track| track.bitrate.unwrap_or(0)).sum();
    stated
        .unwrap_or_else(|| probe.facts.bitrate.saturating_sub(audio))
        .max(MIN_VIDEO)
}

/// Splits `bytes` among the streams of a rendition. `None` means that they cannot hold the media.
///
/// 3 % and 2 kB are reserved for the container and for rate control that overshoots. The video never gets more bits
/// than the source has, because they would not improve it.
pub(crate) fn split(probe: &Probe, options: &ScaleOptions, bytes: u64) -> Option<Budget> {
    let tracks = stereo_tracks(probe, options);
    let bits = bytes.saturating_sub(2000) as f64 * 8.0 * 0.97;
    let rate = (bits / probe.facts.duration) as u64;
    // The audio gets a fifth of the bits, but at least the rate at which speech is intelligible.
    let audio = audio_bitrate(probe).min((rate / 5).checked_div(tracks).unwrap_or(0).max(MIN_AUDIO));
    let video = rate
        .checked_sub(audio * tracks)
        .filter(|video| *video >= MIN_VIDEO)?;
    Some(Budget {
        video: video.min(source_video_bitrate(probe)),
        audio,
    })
}

/// Smallest size in bytes that [`split`] can divide.
pub(crate) fn min_bytes(probe: &Probe, options: &ScaleOptions) -> u64 {
    let tracks = stereo_tracks(probe, options);
    let rate = (MIN_VIDEO + MIN_AUDIO * tracks) as f64;
    (rate * probe.facts.duration / 8.0 / 0.97) as u64 + 2001
}

#[cfg(test)]
mod tests {
    use super::*;
    use vidp_contract::{AudioLayout, MediaFacts};
    use vidp_worker::ffmpeg::{AudioDetails, VideoDetails};

    fn probe(duration: f64, size: u64, tracks: usize) -> Probe {
        let track = AudioDetails {
            index: 1,
            codec: "aac".into(),
            channels: 2,
            layout: Some("stereo".into()),
            sample_rate: 48_000,
            bitrate: Some(96_000),
            start: 0.0,
            duration: None,
            language: None,
        };
        Probe {
            facts: MediaFacts {
                container: "mov".into(),
                duration,
                size,
                bitrate: (size as f64 * 8.0 / duration) as u64,
                video: None,
                audio: Vec::new(),
            },
            video: None::<VideoDetails>,
            audio: vec![track; tracks],
            video_fault: None,
            streams: 1 + tracks,
            listed: Vec::new(),
            start: 0.0,
        }
    }

    fn stereo() -> ScaleOptions {
        ScaleOptions::default()
    }

    #[test]
    fn surround_sound_counts_three_times() {
        let mut probe = probe(100.0, 1 << 30, 1);
        let options = ScaleOptions {
            audio_layout: AudioLayout::Source,
            ..stereo()
        };
        let video = |probe: &Probe| split(probe, &options, 10_002_000).unwrap().video;
        assert_eq!(video(&probe), 776_000 - 96_000);
        (probe.audio[0].channels, probe.audio[0].layout) = (6, Some("5.1".into()));
        assert_eq!(video(&probe), 776_000 - 3 * (776_000 / 5 / 3));
        assert!(min_bytes(&probe, &options) > min_bytes(&probe, &stereo()));
    }

    #[test]
    fn bytes_are_split() {
        let check = |duration, tracks, bytes, expected: Option<(u64, u64)>| {
            let probe = probe(duration, 1 << 30, tracks);
            let got = split(&probe, &stereo(), bytes).map(|budget| (budget.video, budget.audio));
            assert_eq!(got, expected, "{duration} s, {tracks} tracks, {bytes} bytes");
        };
        check(100.0, 0, 1_002_000, Some((77_600, 24_000)));
        check(100.0, 1, 10_002_000, Some((776_000 - 96_000, 96_000)));
        check(100.0, 1, 1_002_000, Some((77_600 - 24_000, 24_000)));
        check(100.0, 8, 1_002_000, None);
        check(100.0, 0, 1_000, None);
        let small = probe(100.0, 2_000_000, 1);
        assert_eq!(split(&small, &stereo(), 1 << 40).unwrap().video, 64_000);
    }

    #[test]
    fn the_least_is_enough() {
        for (duration, tracks) in [(0.5, 0), (10.0, 1), (7200.0, 8)] {
            let probe = probe(duration, 1 << 34, tracks);
            let least = min_bytes(&probe, &stereo());
            assert!(
                split(&probe, &stereo(), least + 16).is_some(),
                "{duration} {tracks}"
            );
            assert!(
                split(&probe, &stereo(), least - 600).is_none(),
                "{duration} {tracks}"
            );
        }
    }

    #[test]
    fn bounds() {
        let probe = probe(10.0, 5_000_000, 1);
        let check = |max_size_mb, expected| {
            let options = ScaleOptions {
                max_size_mb,
                ..ScaleOptions::default()
            };
            assert_eq!(max_bytes(&probe, &options), expected);
        };
        check(None, 5_000_000);
        check(Some(9.0), 5_000_000);
        check(Some(1.5), 1_500_000);
    }
}
