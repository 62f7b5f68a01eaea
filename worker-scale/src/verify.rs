//! Verifies that a rendition is complete. ffmpeg's exit code does not show this: it is 0 even after half a file. Pure.

use crate::{budget::MAX_TRACKS, graph::frame_rate, ladder::Rung};
use vidp_worker::ffmpeg::Probe;

/// The reason why a rendition does not hold all of its source.
#[derive(Debug, PartialEq)]
pub(crate) enum Shortfall {
    /// The file has no picture.
    NoPicture,
    /// The picture has a size that was not asked for.
    Size,
    /// An audio track is missing.
    Sound,
    /// The rendition ends before the source. The values are seconds.
    Short { found: f64, expected: f64 },
    /// More than a fifth of the frames is missing.
    Frames { found: u64, expected: u64 },
}

/// Compares a rendition with its source: streams, size in pixels, frames, and duration within max(0.5 s, 1 %).
///
/// A rendition may be longer than the source declares.
pub(crate) fn shortfall(source: &Probe, rung: &Rung, made: &Probe) -> Option<Shortfall> {
    let (Some(video), Some(made_video), Some(shown)) = (&source.video, &made.video, &made.facts.video) else {
        return Some(Shortfall::NoPicture);
    };
    if made.facts.size == 0 {
        return Some(Shortfall::NoPicture);
    }
    if (shown.width, shown.height) != (rung.width, rung.height) {
        return Some(Shortfall::Size);
    }
    if made.audio.len() != source.audio.len().min(MAX_TRACKS) {
        return Some(Shortfall::Sound);
    }
    // A still picture at the end is one long frame, whose duration encoders do not preserve. The number of frames
    // is compared instead.
    let frames = video.frames.zip(made_video.frames);
    let all_frames = frames.is_some_and(|(expected, found)| found * 100 >= expected * 99);
    let picture = video
        .duration
        .filter(|_| !all_frames)
        .map(|expected| (expected, made_video.duration));
    let sound = source
        .audio
        .iter()
        .zip(&made.audio)
        .filter_map(|(expected, found)| Some((expected.duration?, found.duration)));
    let whole = (!all_frames || !source.audio.is_empty())
        .then_some((source.facts.duration, Some(made.facts.duration)));
    for (expected, found) in picture.into_iter().chain(sound).chain(whole) {
        if let Some(found) = found.filter(|found| *found < expected - tolerance(expected)) {
            return Some(Shortfall::Short { found, expected });
        }
    }
    match frames {
        Some((expected, found)) if keeps_every_frame(source) && found * 5 < expected * 4 => {
            Some(Shortfall::Frames { found, expected })
        }
        _ => None,
    }
}

/// True when a rendition has one frame for each frame of the source.
pub(crate) fn keeps_every_frame(source: &Probe) -> bool {
    let track = source.facts.video.as_ref();
    track.is_some_and(|track| !track.interlaced && frame_rate(track) >= track.fps)
}

fn tolerance(seconds: f64) -> f64 {
    (seconds / 100.0).max(0.5)
}
