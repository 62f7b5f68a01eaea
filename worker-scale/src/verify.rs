//! Whether a rendition holds all of its source. ffmpeg's exit code does not tell: it ends with 0 after half a file.

use crate::{budget::MAX_TRACKS, encode::Job, ladder::Rung};
use vidp_contract::FailureCode;
use vidp_worker::ffmpeg::{self, Input, MediaError, Probe};

/// Containers that store no duration: what ffprobe says of them is reckoned from the first and last times, which
/// jump in recordings that were cut or joined.
const RECKONED: &[&str] = &["mpegts", "mpeg"];

/// Checks a rendition against its source: streams, size in pixels, and duration within max(0.5 s, 1 %).
///
/// # Errors
/// `damaged_media` when the source ended early.
pub async fn verify(job: &Job<'_>, rung: &Rung, made: &Probe) -> Result<(), MediaError> {
    let source = job.probe;
    let size = made.facts.video.as_ref().map(|video| (video.width, video.height));
    let tracks = source.audio.len().min(MAX_TRACKS);
    if size != Some((rung.width, rung.height)) || made.audio.len() != tracks || made.facts.size == 0 {
        tracing::warn!(?rung, ?made, "not what was to be made");
        return Err(damaged("some of its streams cannot be decoded".to_owned()));
    }
    let (Some(video), Some(made_video)) = (&source.video, &made.video) else {
        return Ok(());
    };
    // A picture that stands still at the end is one long frame, which no encoder keeps: count frames instead.
    let all_frames =
        matches!((video.frames, made_video.frames), (Some(had), Some(has)) if has * 100 >= had * 99);
    let picture = video
        .duration
        .filter(|_| !all_frames)
        .map(|had| (had, made_video.duration));
    let sound = source
        .audio
        .iter()
        .zip(&made.audio)
        .filter_map(|(had, has)| Some((had.duration?, has.duration)));
    for (had, has) in picture.into_iter().chain(sound) {
        if has.is_some_and(|has| has < had - tolerance(had)) && !is_reckoned(source) {
            return Err(incomplete(has.unwrap_or(0.0), had));
        }
    }
    let had = expected(source);
    let has = made.facts.duration;
    if (has - had).abs() <= tolerance(had) || (all_frames && source.audio.is_empty()) {
        return Ok(());
    }
    if is_reckoned(source) {
        let (tools, limits) = (&job.settings.tools, &job.settings.limits);
        let had = ffmpeg::measure(tools, Input::File(job.source), limits, job.cancel).await?;
        if (has - had).abs() <= tolerance(had) {
            return Ok(());
        }
    }
    Err(incomplete(has, had))
}

/// Seconds that a rendition should have: those of the streams it is made of, where the file tells them; subtitles
/// may go on for longer.
fn expected(source: &Probe) -> f64 {
    let video = source.video.iter().map(|video| video.duration);
    let audio = source.audio.iter().take(MAX_TRACKS).map(|track| track.duration);
    let longest = video
        .chain(audio)
        .try_fold(0.0, |longest: f64, own| Some(longest.max(own?)));
    longest
        .filter(|longest| *longest > 0.0)
        .unwrap_or(source.facts.duration)
}

fn tolerance(seconds: f64) -> f64 {
    (seconds / 100.0).max(0.5)
}

fn is_reckoned(source: &Probe) -> bool {
    RECKONED.contains(&source.facts.container.as_str())
}

fn incomplete(has: f64, had: f64) -> MediaError {
    damaged(format!("{has:.1} s of its {had:.1} s can be decoded"))
}

fn damaged(what: String) -> MediaError {
    MediaError::media(FailureCode::DamagedMedia, format!("the file is damaged: {what}"))
}
