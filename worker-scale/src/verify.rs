//! Verifies that a rendition is complete. ffmpeg's exit code does not show this: it is 0 even after half a file.

use crate::{budget::MAX_TRACKS, job::Job, ladder::Rung};
use vidp_contract::FailureCode;
use vidp_worker::ffmpeg::{self, Input, MediaError, Probe};

/// Containers that store no duration. ffprobe estimates it from the first and last timestamps, which jump in
/// recordings that were cut or joined.
const ESTIMATED_CONTAINERS: &[&str] = &["mpegts", "mpeg"];

/// Checks a rendition against its source: streams, size in pixels, and duration within max(0.5 s, 1 %).
///
/// # Errors
/// `damaged_media` when the source ended early.
pub(crate) async fn verify(job: &Job<'_>, rung: &Rung, made: &Probe) -> Result<(), MediaError> {
    let source = job.probe;
    let size = made.facts.video.as_ref().map(|video| (video.width, video.height));
    let tracks = source.audio.len().min(MAX_TRACKS);
    if size != Some((rung.width, rung.height)) || made.audio.len() != tracks || made.facts.size == 0 {
        tracing::warn!(?rung, ?made, "the rendition lacks streams or has a wrong size");
        return Err(damaged("some of its streams cannot be decoded".to_owned()));
    }
    let (Some(video), Some(made_video)) = (&source.video, &made.video) else {
        return Ok(());
    };
    // A still picture at the end is one long frame, whose duration encoders do not preserve. The number of frames
    // is compared instead.
    let all_frames = matches!(
        (video.frames, made_video.frames),
        (Some(expected), Some(found)) if found * 100 >= expected * 99
    );
    let picture = video
        .duration
        .filter(|_| !all_frames)
        .map(|expected| (expected, made_video.duration));
    let sound = source
        .audio
        .iter()
        .zip(&made.audio)
        .filter_map(|(expected, found)| Some((expected.duration?, found.duration)));
    for (expected, found) in picture.into_iter().chain(sound) {
        if found.is_some_and(|found| found < expected - tolerance(expected)) && !is_estimated(source) {
            return Err(incomplete(found.unwrap_or(0.0), expected));
        }
    }
    let expected = expected_duration(source);
    let found = made.facts.duration;
    if (found - expected).abs() <= tolerance(expected) || (all_frames && source.audio.is_empty()) {
        return Ok(());
    }
    if is_estimated(source) {
        let (tools, limits) = (&job.settings.tools, &job.settings.limits);
        let measured = ffmpeg::measure(tools, Input::File(job.source), limits, job.cancel).await?;
        if (found - measured).abs() <= tolerance(measured) {
            return Ok(());
        }
    }
    Err(incomplete(found, expected))
}

/// Seconds that a rendition should have.
///
/// This is the longest stream that the rendition contains, or the container's duration when a stream states none.
/// Other streams do not count: subtitles may last longer than the picture.
fn expected_duration(source: &Probe) -> f64 {
    let video = source.video.iter().map(|video| video.duration);
    let audio = source.audio.iter().take(MAX_TRACKS).map(|track| track.duration);
    let longest = video
        .chain(audio)
        .try_fold(0.0, |longest: f64, duration| Some(longest.max(duration?)));
    longest
        .filter(|longest| *longest > 0.0)
        .unwrap_or(source.facts.duration)
}

fn tolerance(seconds: f64) -> f64 {
    (seconds / 100.0).max(0.5)
}

fn is_estimated(source: &Probe) -> bool {
    ESTIMATED_CONTAINERS.contains(&source.facts.container.as_str())
}

fn incomplete(found: f64, expected: f64) -> MediaError {
    damaged(format!("only {found:.1} s of {expected:.1} s can be decoded"))
}

fn damaged(reason: String) -> MediaError {
    MediaError::media(
        FailureCode::DamagedMedia,
        format!("the file is damaged: {reason}"),
    )
}
