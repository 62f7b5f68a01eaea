//! Bits and bytes: what a rendition may spend. Pure.

use crate::ladder::Rung;
use vidp_contract::ScaleOptions;
use vidp_worker::ffmpeg::Probe;

/// Bits per second of a stereo track.
const AUDIO: u64 = 128_000;
/// Bits per second below which speech cannot be understood.
pub const MIN_AUDIO: u64 = 24_000;
/// Bits per second below which a picture cannot be recognised.
pub const MIN_VIDEO: u64 = 16_000;
/// Audio tracks that a rendition keeps at most.
pub const MAX_TRACKS: usize = 8;

/// What one rendition may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bits per second of video.
    pub video: u64,
    /// Bits per second of each audio track.
    pub audio: u64,
}

/// Bytes that a rendition may have at most, if there is a bound: the caller's, and the source's own size for the
/// rendition that keeps its size in pixels.
pub fn most_bytes(probe: &Probe, rung: &Rung, options: &ScaleOptions) -> Option<u64> {
    let asked = options.max_size_mb.map(|mb| (mb * 1e6) as u64);
    let source = rung.full_size.then_some(probe.facts.size);
    asked.into_iter().chain(source).min()
}

/// Bits per second of an audio track: never more than the source's own.
pub fn audio_bitrate(probe: &Probe) -> u64 {
    let source = probe.audio.iter().filter_map(|track| track.bitrate).max();
    source.map_or(AUDIO, |bits| bits.clamp(MIN_AUDIO, AUDIO))
}

/// Bits per second of the source's video, said or reckoned from the file's size.
pub fn source_video_bitrate(probe: &Probe) -> u64 {
    let said = probe.video.as_ref().and_then(|video| video.bitrate);
    let audio: u64 = probe.audio.iter().map(|track| track.bitrate.unwrap_or(0)).sum();
    said.unwrap_or_else(|| probe.facts.bitrate.saturating_sub(audio))
        .max(MIN_VIDEO)
}

/// Splits `bytes` among the streams of a rendition; `None` when they cannot hold the media at all.
///
/// 3 % and 2 kB are kept for the container and for rate control that misses. No more video bits than the source
/// has: they would buy nothing.
pub fn split(probe: &Probe, bytes: u64) -> Option<Budget> {
    let tracks = probe.audio.len().min(MAX_TRACKS) as u64;
    let bits = bytes.saturating_sub(2000) as f64 * 8.0 * 0.97;
    let rate = (bits / probe.facts.duration) as u64;
    // Sound gets a fifth, when that is enough to be understood.
    let audio = audio_bitrate(probe).min((rate / 5).checked_div(tracks).unwrap_or(0).max(MIN_AUDIO));
    let video = rate
        .checked_sub(audio * tracks)
        .filter(|video| *video >= MIN_VIDEO)?;
    Some(Budget {
        video: video.min(source_video_bitrate(probe)),
        audio,
    })
}

/// Bytes below which [`split`] has no answer.
pub fn least_bytes(probe: &Probe) -> u64 {
    let tracks = probe.audio.len().min(MAX_TRACKS) as u64;
    let rate = (MIN_VIDEO + MIN_AUDIO * tracks) as f64;
    (rate * probe.facts.duration / 8.0 / 0.97) as u64 + 2001
}

#[cfg(test)]
mod tests {
    use super::*;
    use vidp_contract::MediaFacts;
    use vidp_worker::ffmpeg::{AudioDetails, VideoDetails};

    fn probe(duration: f64, size: u64, tracks: usize) -> Probe {
        let track = AudioDetails {
            index: 1,
            bitrate: Some(96_000),
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
            streams: 1 + tracks,
            bytes_read: 0,
        }
    }

    #[test]
    fn bytes_are_split() {
        let check = |duration, tracks, bytes, expected: Option<(u64, u64)>| {
            let probe = probe(duration, 1 << 30, tracks);
            let got = split(&probe, bytes).map(|budget| (budget.video, budget.audio));
            assert_eq!(got, expected, "{duration} s, {tracks} tracks, {bytes} bytes");
        };
        check(100.0, 0, 1_002_000, Some((77_600, 24_000)));
        check(100.0, 1, 10_002_000, Some((776_000 - 96_000, 96_000)));
        check(100.0, 1, 1_002_000, Some((77_600 - 24_000, 24_000)));
        check(100.0, 8, 1_002_000, None);
        check(100.0, 0, 1_000, None);
        let small = probe(100.0, 2_000_000, 1);
        assert_eq!(split(&small, 1 << 40).unwrap().video, 64_000);
    }

    #[test]
    fn the_least_is_enough() {
        for (duration, tracks) in [(0.5, 0), (10.0, 1), (7200.0, 8)] {
            let probe = probe(duration, 1 << 34, tracks);
            let least = least_bytes(&probe);
            assert!(split(&probe, least + 16).is_some(), "{duration} {tracks}");
            assert!(split(&probe, least - 600).is_none(), "{duration} {tracks}");
        }
    }

    #[test]
    fn bounds() {
        let probe = probe(10.0, 5_000_000, 1);
        let mut rung = crate::ladder::ladder(640, 360, &[])[0].clone();
        let check = |rung: &Rung, max_size_mb, expected| {
            let options = ScaleOptions {
                max_size_mb,
                ..ScaleOptions::default()
            };
            assert_eq!(most_bytes(&probe, rung, &options), expected);
        };
        check(&rung, None, Some(5_000_000));
        check(&rung, Some(9.0), Some(5_000_000));
        check(&rung, Some(1.5), Some(1_500_000));
        rung.full_size = false;
        check(&rung, None, None);
    }
}
