//! Mixing of sound with more than two channels. Pure.

use super::AudioDetails;

/// Layouts of more than two channels from which ffmpeg mixes stereo with every channel in it. It leaves out the height
/// channels of larger layouts. A test measures each one.
const MIXED_LAYOUTS: &[&str] = &[
    "2.1",
    "3.0",
    "3.0(back)",
    "4.0",
    "quad",
    "quad(side)",
    "3.1",
    "5.0",
    "5.0(side)",
    "4.1",
    "5.1",
    "5.1(side)",
    "6.0",
    "6.0(front)",
    "hexagonal",
    "6.1",
    "6.1(back)",
    "6.1(front)",
    "7.0",
    "7.0(front)",
    "7.1",
    "7.1(wide)",
    "7.1(wide-side)",
    "octagonal",
];
/// Codecs whose recordings often change between stereo and surround, as television does between programmes.
const CHANGING_CODECS: &[&str] = &["ac3", "eac3", "dca", "aac_latm"];
/// Level of the low-frequency channel in stereo: half, so that it is heard and does not dominate.
const LFE_LEVEL: f64 = 0.5;
/// Peak level of a mix, a share of full scale. Lossy encoders exceed the peaks of their input by some percent.
const PEAK: f64 = 0.9;

/// Milliseconds in which the limiter reacts and recovers. Shorter ones would distort low tones.
const SMOOTH: &str = "attack=20:release=500";

/// True when ffmpeg mixes every channel of this layout to stereo.
pub fn has_matrix(layout: &str) -> bool {
    MIXED_LAYOUTS.contains(&layout)
}

/// ffmpeg's filter that makes stereo of a track at `rate` Hz, with silence in gaps and, with `from_zero`, before its start.
///
/// ffmpeg rebuilds the filter when the layout or the rate changes, and a filter with `from_zero` then fills up from time 0
/// again. Mono and stereo keep their levels. A known layout is mixed by the weights of ITU-R BS.775,
/// with a little of the low-frequency channel; any other with the same weight for each channel, which keeps the power of
/// independent channels. A limiter lowers the peaks of a mix that would exceed 0.9 of full scale.
pub fn stereo_filter(track: &AudioDetails, rate: u32, from_zero: bool) -> String {
    let first = if from_zero { ":first_pts=0" } else { "" };
    let resample = format!("aresample={rate}:async=1{first}");
    let known = track.layout.as_deref().is_some_and(has_matrix);
    let limit = |peak: f64| limiter(2, peak, SMOOTH);
    let mixed = format!("{resample}:lfe_mix_level={LFE_LEVEL},{STEREO}");
    match track.channels {
        0..=2 if !CHANGING_CODECS.contains(&track.codec.as_str()) => resample,
        // Full scale, so that stereo passes unchanged.
        0..=2 => format!("{mixed},{}", limit(1.0)),
        _ if known => format!("{mixed},{}", limit(PEAK)),
        channels => format!("{resample},{},{}", equal(channels), limit(PEAK)),
    }
}

/// True when ffmpeg makes 5.1 of this track with every channel in it.
pub fn is_surround(track: &AudioDetails) -> bool {
    track.channels > 4 && track.layout.as_deref().is_some_and(has_matrix)
}

/// ffmpeg's filter that makes 5.1 of a track for which [`is_surround`] is true; otherwise as [`stereo_filter`].
///
/// Encoders and players know 5.1 with the surround channels at the back, and no other layout of more channels (AAC with a
/// program config element is silent in Chromium). 5.1 itself passes unchanged.
pub fn surround_filter(track: &AudioDetails, rate: u32, from_zero: bool) -> String {
    let first = if from_zero { ":first_pts=0" } else { "" };
    let mixed = format!("aresample={rate}:async=1{first},aformat=sample_fmts=fltp:channel_layouts=5.1");
    match track.layout.as_deref() {
        Some("5.1" | "5.1(side)") => mixed,
        _ => format!("{mixed},{}", limiter(6, PEAK, SMOOTH)),
    }
}

/// ffmpeg's filter that lowers samples above `peak`, a share of full scale, in stereo or 5.1. `times` are those of `alimiter`.
///
/// Each channel of 5.1 has its own limiter: with four channels or more, the one of ffmpeg 5.1 writes samples of full scale into
/// quiet channels while it limits another.
pub fn limiter(channels: u32, peak: f64, times: &str) -> String {
    let limit = format!("alimiter=limit={peak:.4}:level=0:latency=1:{times}");
    if channels <= 2 {
        return limit;
    }
    let pads = |letter: char| -> String { (0..6).map(|k| format!("[{letter}{k}]")).collect() };
    let each: Vec<String> = (0..6).map(|k| format!("[i{k}]{limit}[o{k}]")).collect();
    format!(
        "channelsplit=channel_layout=5.1{};{};{}join=inputs=6:channel_layout=5.1:map={}",
        pads('i'),
        each.join(";"),
        pads('o'),
        ["FL", "FR", "FC", "LFE", "BL", "BR"]
            .iter()
            .enumerate()
            .map(|(k, name)| format!("{k}.0-{name}"))
            .collect::<Vec<_>>()
            .join("|")
    )
}

/// Floats, because ffmpeg lowers the levels of a mix of whole numbers, and of those alone.
const STEREO: &str = "aformat=sample_fmts=fltp:channel_layouts=stereo";

/// Filter that puts every channel into both channels of stereo.
fn equal(channels: u32) -> String {
    let weight = 1.0 / f64::from(channels).sqrt();
    let sum: Vec<String> = (0..channels).map(|k| format!("{weight:.4}*c{k}")).collect();
    let sum = sum.join("+");
    format!("aformat=sample_fmts=fltp,pan=stereo|c0={sum}|c1={sum}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::{Tools, process_limits};
    use tokio_util::sync::CancellationToken;
    use vidp_common::process::{self, Access};

    fn track(codec: &str, channels: u32, layout: Option<&str>) -> AudioDetails {
        AudioDetails {
            codec: codec.to_owned(),
            channels,
            layout: layout.map(str::to_owned),
            ..AudioDetails::default()
        }
    }

    /// Peaks of both channels of the mix of `signals`, one expression per channel, for a track as the file states it.
    async fn peaks(track: &AudioDetails, signals: &[String], input_layout: &str) -> [f32; 2] {
        let filter = stereo_filter(track, 48_000, false);
        filtered(&filter, "2", signals, input_layout)
            .await
            .try_into()
            .unwrap()
    }

    /// Peaks of the channels that `filter` makes of `signals`.
    async fn filtered(filter: &str, channels: &str, signals: &[String], input_layout: &str) -> Vec<f32> {
        let source = format!("aevalsrc={}:d=0.3:s=48000{input_layout}", signals.join("|"));
        let args = [
            "-v",
            "error",
            "-guess_layout_max",
            "0",
            "-f",
            "lavfi",
            "-i",
            &source,
            "-af",
            filter,
        ];
        let output = ["-ac", channels, "-f", "f32le", "-"];
        let bytes = process::capture(
            &Tools::default().ffmpeg,
            args.into_iter().chain(output),
            process_limits(1.0),
            &Access::default(),
            1 << 20,
            &CancellationToken::new(),
            |_| {},
        )
        .await
        .unwrap();
        let (samples, _) = bytes.as_chunks::<4>();
        let channels: usize = channels.parse().unwrap();
        assert_eq!(samples.len(), channels * 14_400, "{filter}");
        let peak = |channel: usize| {
            let samples = samples.iter().skip(channel).step_by(channels);
            samples
                .map(|sample| f32::from_le_bytes(*sample).abs())
                .fold(0.0, f32::max)
        };
        (0..channels).map(peak).collect()
    }

    /// A tone of peak `level` on one of `channels`.
    fn alone(channels: usize, loud: usize, level: f64) -> Vec<String> {
        let tone = |k| {
            if k == loud {
                format!("{level}*sin(2*PI*440*t)")
            } else {
                "0".to_owned()
            }
        };
        (0..channels).map(tone).collect()
    }

    fn channels(layout: &str) -> usize {
        let digits = layout.chars().filter_map(|c| c.to_digit(10));
        match layout {
            "quad" | "quad(side)" => 4,
            "hexagonal" => 6,
            "octagonal" => 8,
            _ => digits.sum::<u32>() as usize,
        }
    }

    #[tokio::test]
    async fn every_channel_of_a_known_layout_is_in_surround_sound() {
        for layout in MIXED_LAYOUTS {
            let channels = channels(layout);
            let details = track("pcm_s16le", channels as u32, Some(layout));
            assert_eq!(is_surround(&details), channels > 4, "{layout}");
            let filter = surround_filter(&details, 48_000, false);
            for loud in (0..channels).filter(|_| channels > 4) {
                let signals = alone(channels, loud, 0.5);
                let found = filtered(&filter, "6", &signals, &format!(":c={layout}")).await;
                let heard = found.iter().copied().fold(0.0, f32::max);
                assert!(heard > 0.1, "{layout}, channel {loud}: {found:?}");
                if *layout == "5.1" {
                    assert!((found[loud] - 0.5).abs() < 0.01, "channel {loud}: {found:?}");
                }
            }
        }
        let unknown = track("pcm_s16le", 6, None);
        assert!(!is_surround(&unknown));
    }

    /// `alimiter` for all channels at once makes the quiet ones as loud as the loud one.
    #[tokio::test]
    async fn a_limiter_leaves_quiet_channels_quiet() {
        for (channels, layout) in [(2, "stereo"), (6, "5.1")] {
            for loud in 0..channels {
                let signal = |k| if k == loud { "1.5" } else { "0.00001" };
                let signals: Vec<String> = (0..channels)
                    .map(|k| format!("{}*sin(2*PI*440*t)", signal(k)))
                    .collect();
                let count = channels.to_string();
                let filter = format!("aformat=sample_fmts=fltp,{}", limiter(channels, 0.5, SMOOTH));
                let peaks = filtered(&filter, &count, &signals, &format!(":c={layout}")).await;
                for (k, peak) in peaks.iter().enumerate() {
                    let limit = if k == loud as usize { 0.501 } else { 0.0001 };
                    assert!(*peak <= limit, "{layout}, loud {loud}: {peaks:?}");
                }
                assert!(peaks[loud as usize] > 0.4, "{layout}, loud {loud}: {peaks:?}");
            }
        }
    }

    #[tokio::test]
    async fn every_channel_of_a_known_layout_is_heard() {
        for layout in MIXED_LAYOUTS {
            let channels = channels(layout);
            let details = track("pcm_s16le", channels as u32, Some(layout));
            for loud in 0..channels {
                let [left, right] =
                    peaks(&details, &alone(channels, loud, 0.5), &format!(":c={layout}")).await;
                assert!(left.max(right) > 0.1, "{layout}, channel {loud}: {left} {right}");
            }
        }
    }

    #[tokio::test]
    async fn every_channel_of_an_unknown_layout_is_heard_alike() {
        for channels in [3, 4, 6, 7, 8, 10, 12, 16, 24] {
            let layout = if channels == 16 {
                Some("hexadecagonal")
            } else {
                None
            };
            let details = track("pcm_s16le", channels as u32, layout);
            for loud in [0, 2, 3, channels - 1] {
                let found = peaks(&details, &alone(channels, loud.min(channels - 1), 0.5), "").await;
                let expected = 0.5 / (channels as f32).sqrt();
                for peak in found {
                    assert!(
                        (peak - expected).abs() < 0.01,
                        "{channels}, channel {loud}: {peak}, not {expected}"
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn levels_are_kept_and_a_mix_does_not_clip() {
        let loud = |channels: usize| -> Vec<String> {
            let tone = |k: usize| format!("0.9*sin(2*PI*{}*t)", 200 + 110 * k);
            (0..channels).map(tone).collect()
        };
        for (details, layout) in [
            (track("ac3", 6, Some("5.1(side)")), ":c=5.1(side)"),
            (track("pcm_s24le", 8, Some("7.1")), ":c=7.1"),
            (track("pcm_s24le", 12, None), ""),
        ] {
            let [left, right] = peaks(&details, &loud(details.channels as usize), layout).await;
            assert!(left <= 0.91 && right <= 0.91, "{layout}: {left} {right}");
        }
        // Stereo is not changed at all, a full-scale peak neither.
        assert_eq!(
            stereo_filter(&track("aac", 2, Some("stereo")), 48_000, false),
            "aresample=48000:async=1"
        );
        assert_eq!(
            stereo_filter(&track("pcm_s16le", 1, None), 48_000, true),
            "aresample=48000:async=1:first_pts=0"
        );
        let [left, right] = peaks(&track("ac3", 2, Some("stereo")), &alone(2, 0, 0.5), ":c=stereo").await;
        assert!((left - 0.5).abs() < 1e-3 && right < 1e-6, "{left} {right}");
    }
}
