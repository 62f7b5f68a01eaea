//! Encoder arguments for each codec. Pure.

use crate::sound::track::{RATE, Sound};
use serde::{Deserialize, Serialize};
use std::path::Path;
use vidp_contract::Codec;
use vidp_worker::ffmpeg::TICKS;

/// Rate control of a video stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Rate {
    /// Constant quality with an optional ceiling.
    Quality {
        /// Constant rate factor.
        crf: u8,
        /// Bits per second.
        ceiling: Option<u64>,
    },
    /// Bits per second on average.
    Average(u64),
    /// The source's stream is copied without encoding.
    Copy {
        /// True when it has a key frame every 2 s.
        regular_keys: bool,
    },
}

impl Rate {
    /// True when the source's stream is copied.
    pub(crate) fn is_copy(&self) -> bool {
        matches!(self, Rate::Copy { .. })
    }
}

/// Pass of an ffmpeg run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// A single pass.
    Only,
    /// The first of two passes: it writes statistics and no output.
    First,
    /// The second of two passes: it reads the statistics.
    Second,
}

/// Largest width and height of any encoder in pixels. It is the limit of x264 and SVT-AV1.
const MAX_SIDE: u32 = 16_384;
/// Largest height of SVT-AV1 in pixels.
const MAX_AV1_HEIGHT: u32 = 8704;

/// The size nearest to `width` and `height` that the encoder accepts; the picture is padded to it.
pub(crate) fn fit(codec: Codec, width: u32, height: u32) -> (u32, u32) {
    let least = match codec {
        Codec::H264 | Codec::Vp9 => 2,
        Codec::H265 => 16,
        Codec::Av1 => 64,
    };
    let highest = if codec == Codec::Av1 {
        MAX_AV1_HEIGHT
    } else {
        MAX_SIDE
    };
    (width.clamp(least, MAX_SIDE), height.clamp(least, highest))
}

/// Arguments of one video stream.
///
/// `preset` applies to H.264 and H.265. `statistics` is the file that two passes share; `fps` is frames per second.
/// A key frame is forced every 2 s, so that players can seek and switch between renditions.
pub(crate) fn video(
    codec: Codec,
    rate: &Rate,
    pass: Pass,
    preset: &str,
    statistics: &Path,
    fps: f64,
) -> Vec<String> {
    if rate.is_copy() {
        return words(if codec == Codec::H265 {
            "-c:v copy -tag:v hvc1"
        } else {
            "-c:v copy"
        });
    }
    let mut args = match codec {
        Codec::H264 => words(&format!("-c:v libx264 -preset {preset}")),
        // libx265 obeys forced key frames only as IDR frames.
        Codec::H265 => words(&format!(
            "-c:v libx265 -preset {preset} -tag:v hvc1 -forced-idr 1"
        )),
        // SVT-AV1 ignores forced key frames, so `-g` sets the GOP length.
        Codec::Av1 => words(&format!(
            "-c:v libsvtav1 -preset 8 -g {:.0}",
            (fps * 2.0).max(1.0)
        )),
        Codec::Vp9 => words("-c:v libvpx-vp9 -deadline good -cpu-used 5 -row-mt 1"),
    };
    // Frames keep their timestamps; no frame is repeated to fill a constant rate. Without a time base of its own, the
    // encoder rounds them to the guessed rate, and frames with equal times are lost.
    args.extend(words(&format!(
        "-fps_mode vfr -enc_time_base 1:{TICKS} -force_key_frames expr:gte(t,n_forced*2)"
    )));
    match (codec, rate) {
        // For libvpx-vp9, bitrate 0 selects constant quality without a ceiling, and any other bitrate is the ceiling.
        (Codec::Vp9, Rate::Quality { crf, ceiling }) => {
            args.extend(words(&format!("-crf {crf} -b:v {}", ceiling.unwrap_or(0))));
        }
        (_, Rate::Quality { crf, ceiling }) => {
            args.extend(words(&format!("-crf {crf}")));
            // Debian 12's ffmpeg has no ceiling for AV1; a file that is too large is encoded again.
            if let (Some(ceiling), true) = (ceiling, codec != Codec::Av1) {
                args.extend(words(&format!("-maxrate {ceiling} -bufsize {}", ceiling * 2)));
            }
        }
        (_, Rate::Average(bitrate)) => args.extend(words(&format!("-b:v {bitrate}"))),
        (_, Rate::Copy { .. }) => unreachable!("copied streams return above"),
    }
    let statistics = statistics.to_string_lossy();
    let number = match pass {
        Pass::Only => None,
        Pass::First => Some(1),
        Pass::Second => Some(2),
    };
    match (codec, number) {
        (Codec::H265, Some(number)) => {
            // Colons separate the parameters of x265.
            let statistics = statistics.replace(':', "\\:");
            args.extend([
                "-x265-params".into(),
                format!("log-level=error:pass={number}:stats={statistics}"),
            ]);
        }
        // Without `no-info` each stream names the processor, and parts of two machines would not fit together.
        (Codec::H265, None) => args.extend(words("-x265-params log-level=error:no-info=1")),
        (_, Some(number)) => {
            args.extend([
                "-pass".into(),
                number.to_string(),
                "-passlogfile".into(),
                statistics.into_owned(),
            ]);
        }
        (_, None) => {}
    }
    args
}

/// True when the encoder supports two passes.
///
/// Debian 12's ffmpeg has no two-pass mode for SVT-AV1, so repeated encoding enforces its size limit.
pub(crate) fn has_two_passes(codec: Codec) -> bool {
    codec != Codec::Av1
}

/// Arguments of all audio streams.
pub(crate) fn audio(codec: Codec, tracks: impl Iterator<Item = Sound>) -> Vec<String> {
    let encoder = match codec {
        Codec::H264 | Codec::H265 => "aac",
        Codec::Av1 | Codec::Vp9 => "libopus",
    };
    let mut args = words(&format!("-c:a {encoder} -ar {RATE}"));
    for (k, sound) in tracks.enumerate() {
        let (bitrate, channels) = (sound.bitrate, sound.channels);
        args.extend(words(&format!("-b:a:{k} {bitrate} -ac:a:{k} {channels}")));
        args.extend([format!("-filter:a:{k}"), sound.filter]);
    }
    args
}

/// ffprobe's name of the video codec.
pub(crate) fn video_name(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "h264",
        Codec::H265 => "hevc",
        Codec::Av1 => "av1",
        Codec::Vp9 => "vp9",
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_encoders_accept() {
        assert_eq!(fit(Codec::H264, 8, 2), (8, 2));
        assert_eq!(fit(Codec::H265, 8, 400), (16, 400));
        assert_eq!(fit(Codec::Av1, 4000, 2), (4000, 64));
        assert_eq!(fit(Codec::Av1, 100, 20_000), (100, 8704));
        assert_eq!(fit(Codec::Vp9, 20_000, 100), (16_384, 100));
    }

    #[test]
    fn arguments() {
        let check = |codec, rate: Rate, pass, expected: &str| {
            let got = video(codec, &rate, pass, "veryfast", Path::new("/s/a:b"), 29.97).join(" ");
            assert_eq!(
                got.replace(
                    "-fps_mode vfr -enc_time_base 1:120000 -force_key_frames expr:gte(t,n_forced*2)",
                    "KEY"
                ),
                expected
            );
        };
        let quality = |ceiling| Rate::Quality { crf: 23, ceiling };
        check(
            Codec::H264,
            quality(None),
            Pass::Only,
            "-c:v libx264 -preset veryfast KEY -crf 23",
        );
        check(
            Codec::H264,
            quality(Some(1000)),
            Pass::Only,
            "-c:v libx264 -preset veryfast KEY -crf 23 -maxrate 1000 -bufsize 2000",
        );
        check(
            Codec::H264,
            Rate::Average(1000),
            Pass::Second,
            "-c:v libx264 -preset veryfast KEY -b:v 1000 -pass 2 -passlogfile /s/a:b",
        );
        check(
            Codec::H265,
            quality(None),
            Pass::Only,
            "-c:v libx265 -preset veryfast -tag:v hvc1 -forced-idr 1 KEY -crf 23 -x265-params log-level=error:no-info=1",
        );
        check(
            Codec::H265,
            Rate::Average(1000),
            Pass::First,
            "-c:v libx265 -preset veryfast -tag:v hvc1 -forced-idr 1 KEY -b:v 1000 -x265-params log-level=error:pass=1:stats=/s/a\\:b",
        );
        check(
            Codec::Av1,
            quality(Some(1000)),
            Pass::Only,
            "-c:v libsvtav1 -preset 8 -g 60 KEY -crf 23",
        );
        check(
            Codec::Vp9,
            quality(None),
            Pass::Only,
            "-c:v libvpx-vp9 -deadline good -cpu-used 5 -row-mt 1 KEY -crf 23 -b:v 0",
        );
        let copy = Rate::Copy { regular_keys: true };
        check(Codec::H265, copy, Pass::Only, "-c:v copy -tag:v hvc1");
    }
}
