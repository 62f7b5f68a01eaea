//! Decides whether the declared values of a file must be measured.

use super::{
    Probe,
    streams::{stated_rate, tagged_duration},
};
use serde_json::Value;

/// Frames a second that only few cameras have. Headers without a count of frames state more by mistake.
const MAX_COMMON_FPS: f64 = 61.0;
/// Bits per second that a file of more than [`LONG`] seconds has at least.
const MIN_BITRATE: f64 = 500.0;
/// Seconds from which durations are compared with other values.
const LONG: f64 = 60.0;

/// True when a declared value would refuse the file, is missing, or contradicts another.
///
/// A pass over all packets costs little beside a conversion, but ordinary files need none.
pub(crate) fn needs_measuring(probe: &Probe, answer: &Value, max_seconds: f64) -> bool {
    let seconds = probe.facts.duration;
    let is_long = seconds > max_seconds;
    let is_thin = seconds > LONG && (probe.facts.size as f64) * 8.0 / seconds < MIN_BITRATE;
    seconds <= 0.0 || is_long || is_thin || has_odd_rate(probe, answer) || differs(probe) || has_empty(answer)
}

/// True when the frame rate is missing, or is one that headers state by mistake.
///
/// MP4 has a time for each frame, so its rate is exact.
fn has_odd_rate(probe: &Probe, answer: &Value) -> bool {
    let (Some(track), Some(details)) = (&probe.facts.video, &probe.video) else {
        return false;
    };
    let streams = answer["streams"].as_array();
    let stream = streams.and_then(|all| all.iter().find(|stream| stream["index"] == details.index));
    let is_counted = probe.facts.container.starts_with("mov");
    stream.and_then(stated_rate).is_none() && details.frames != Some(1)
        || track.fps > MAX_COMMON_FPS && !is_counted
}

/// True when one stream is much longer than another.
fn differs(probe: &Probe) -> bool {
    let video = probe.video.iter().filter_map(|video| video.duration);
    let audio = probe.audio.iter().filter_map(|audio| audio.duration);
    let (shortest, longest) = video
        .chain(audio)
        .fold((f64::INFINITY, 0.0_f64), |(low, high), next| {
            (low.min(next), high.max(next))
        });
    longest - shortest > LONG && longest > shortest * 3.0
}

/// True when a stream is declared and states that it has no content.
fn has_empty(answer: &Value) -> bool {
    let streams = answer["streams"].as_array();
    streams.is_some_and(|all| {
        all.iter()
            .filter(|stream| stream["codec_type"] == "audio" || stream["codec_type"] == "video")
            .any(|stream| tagged_duration(stream) == Some(0.0))
    })
}
