//! Encoder arguments for each codec. Pure.

use std::path::Path;
use vidp_contract::Codec;

/// Rate control of a video stream.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    Copy,
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
    if *rate == Rate::Copy {
        return words(if codec == Codec::H265 {
            "-c:v copy -tag:v hvc1"
        } else {
            "-c:v copy"
        });
    }
    let mut args = match codec {
        Codec::H264 => words(&format!("-c:v libx264 -preset {preset}")),
        Codec::H265 => words(&format!("-c:v libx265 -preset {preset} -tag:v hvc1")),
        // SVT-AV1 ignores forced key frames, so `-g` sets the GOP length.
        Codec::Av1 => words(&format!(
            "-c:v libsvtav1 -preset 8 -g {:.0}",
            (fps * 2.0).max(1.0)
        )),
        Codec::Vp9 => words("-c:v libvpx-vp9 -deadline good -cpu-used 5 -row-mt 1"),
    };
    // Frames keep their timestamps; no frame is repeated to fill a constant rate.
    args.extend(words("-fps_mode vfr -force_key_frames expr:gte(t,n_forced*2)"));
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
        (_, Rate::Copy) => unreachable!("copied streams return above"),
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
        (Codec::H265, None) => args.extend(words("-x265-params log-level=error")),
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

/// Arguments of all audio streams: stereo at 48 kHz, which every player supports, with silence in gaps.
pub(crate) fn audio(codec: Codec, bitrate: u64) -> Vec<String> {
    let encoder = match codec {
        Codec::H264 | Codec::H265 => "aac",
        Codec::Av1 | Codec::Vp9 => "libopus",
    };
    words(&format!(
        "-c:a {encoder} -b:a {bitrate} -ac 2 -ar 48000 -af aresample=async=1:first_pts=0"
    ))
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

/// Media type of a rendition.
pub(crate) fn content_type(codec: Codec) -> &'static str {
    if codec == Codec::Vp9 {
        "video/webm"
    } else {
        "video/mp4"
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let check = |codec, rate: Rate, pass, expected: &str| {
            let got = video(codec, &rate, pass, "veryfast", Path::new("/s/a:b"), 29.97).join(" ");
            assert_eq!(
                got.replace("-fps_mode vfr -force_key_frames expr:gte(t,n_forced*2)", "KEY"),
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
            Rate::Average(1000),
            Pass::First,
            "-c:v libx265 -preset veryfast -tag:v hvc1 KEY -b:v 1000 -x265-params log-level=error:pass=1:stats=/s/a\\:b",
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
        check(Codec::H265, Rate::Copy, Pass::Only, "-c:v copy -tag:v hvc1");
    }
}
