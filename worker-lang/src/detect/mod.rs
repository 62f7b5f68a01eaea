//! The `detect` stage: detects the spoken language.

mod listener;

use crate::{
    audio::{
        track::{Piece, Track},
        windows::{Window, plan},
    },
    model::engine::{Engine, task_error},
    text::language::Tally,
};
use anyhow::Context;
use listener::Listener;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use vidp_contract::{
    DetectOptions, DetectReport, FailureCode, Language, LanguageProbability, LanguageWindow, SkipCode, Work,
    language_name,
};
use vidp_worker::{
    Attempt, TaskError,
    ffmpeg::{self, Input},
};

/// Validity of the source's URL: longer than the stage can take.
const URL_VALIDITY: Duration = Duration::from_secs(3600);
/// Seconds of speech in all windows at least. Less is a shout, or a sound that resembles speech.
const MIN_SPEECH: f64 = 0.5;

/// Runs an attempt of a `detect` task.
///
/// # Errors
/// Those of the media, the models and the object store; skipped when the video has no audio or no speech.
pub async fn run(engine: Arc<Engine>, attempt: Arc<Attempt>) -> Result<DetectReport, TaskError> {
    let Work::Detect(options) = &attempt.task.work else {
        return Err(TaskError::fail(
            FailureCode::Internal,
            "the task is not a detect task",
        ));
    };
    let url = attempt.source_url(URL_VALIDITY).await?;
    let progress = |share| attempt.progress("listen", share, None);
    detect(engine, Input::Url(&url), options, progress, &attempt.cancel).await
}

/// Measures windows of the input until the language is sure or `options.duration` seconds of speech are measured.
///
/// `progress` receives the share that is done, 0 to 1.
pub(crate) async fn detect(
    engine: Arc<Engine>,
    input: Input<'_>,
    options: &DetectOptions,
    progress: impl Fn(f64),
    cancel: &CancellationToken,
) -> Result<DetectReport, TaskError> {
    progress(0.0);
    let probe = ffmpeg::probe(&engine.tools, input, &engine.limits, cancel).await?;
    let Some(audio) = probe.audio.first() else {
        return Err(TaskError::Skip(SkipCode::NoAudio));
    };
    let track = Track {
        tools: &engine.tools,
        limits: &engine.limits,
        input,
        stream: audio.index,
    };
    let windows = plan(audio.duration.unwrap_or(probe.facts.duration));
    let mut listener = Listener::new(
        engine.clone(),
        &options.expected_languages,
        options.duration,
        cancel,
    );
    let (mut measured, mut bytes_read, mut damage) = (Vec::new(), probe.bytes_read, None);
    for (index, window) in windows.iter().enumerate() {
        let piece = track.piece(window.start, window.length, cancel).await?;
        bytes_read += piece.bytes_read;
        if piece.samples.is_empty() {
            damage = damage.or(piece.error);
            continue;
        }
        let result;
        (listener, result) = listen(listener, *window, piece).await?;
        measured.push(result);
        progress(
            ((index + 1) as f64 / windows.len() as f64).max(listener.tally().seconds() / options.duration),
        );
        if listener.is_done() {
            break;
        }
    }
    if listener.tally().seconds() < MIN_SPEECH {
        return Err(match damage {
            // The undecodable part of the track may contain speech, so the result is not "no speech".
            Some(error) => error.into(),
            None => TaskError::Skip(SkipCode::NoSpeech),
        });
    }
    Ok(report(listener.tally(), options, measured, bytes_read))
}

/// Runs the model outside the threads of the async runtime.
async fn listen(
    mut listener: Listener,
    window: Window,
    piece: Piece,
) -> Result<(Listener, LanguageWindow), TaskError> {
    let span = tracing::info_span!("process", program = "whisper", window = window.start);
    let work = move || {
        let result = span.in_scope(|| listener.listen(window, &piece.samples))?;
        anyhow::Ok((listener, result))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.context("the speech model's thread ended unexpectedly")
        .flatten()
        .map_err(task_error)
}

/// The report of the stage.
fn report(
    tally: &Tally,
    options: &DetectOptions,
    windows: Vec<LanguageWindow>,
    bytes_read: u64,
) -> DetectReport {
    let ranked = tally.ranked();
    let (code, confidence) = tally.best();
    let listed = if options.test_all_languages {
        ranked.len()
    } else {
        5
    };
    DetectReport {
        language: Language {
            code: code.to_owned(),
            name: language_name(code).unwrap_or(code).to_owned(),
        },
        confidence,
        probabilities: ranked
            .into_iter()
            .take(listed)
            .map(|(code, probability)| LanguageProbability {
                code: code.to_owned(),
                probability,
            })
            .collect(),
        windows,
        bytes_read,
    }
}
