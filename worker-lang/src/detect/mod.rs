//! The `detect` stage: detects the spoken language.

mod fragments;
mod listener;
mod report;

use crate::{
    audio::{
        chunk::seconds,
        decoder::Sound,
        mix::Mixer,
        speech::MIN_SPEECH,
        track::{Piece, Track},
        windows::{Window, plan},
    },
    listen::{Silent, Source, feed, search},
    model::engine::{Engine, task_error},
};
use anyhow::Context;
use listener::Listener;
use report::{Listened, report};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use vidp_common::process;
use vidp_contract::{DetectOptions, DetectReport, FailureCode, LanguageWindow, SkipCode, Work};
use vidp_worker::{
    Attempt, TaskError,
    ffmpeg::{self, AudioDetails, Input, MediaError, Probe},
};

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
    let progress = |share| attempt.progress("listen", share, None);
    // A child with a socket could connect to everything where ports cannot be limited, so it gets none.
    if !process::can_limit_ports() || fragments::is_fragmented(&attempt).await? {
        let source = attempt.fetch_source().await?;
        return detect(engine, Input::File(&source), options, progress, &attempt.cancel).await;
    }
    let ranges = attempt.source_ranges(None)?;
    let report = detect(engine, Input::Ranges(&ranges), options, progress, &attempt.cancel).await;
    // ffmpeg takes a cut range for the end of the file, so its result does not count then.
    ranges.check()?;
    report
}

/// Measures parts of the input until the language is sure or `options.duration` seconds of speech are measured.
///
/// Windows of the first track come first. When they have no speech, all of the file is searched. `progress` receives the
/// share that is done, 0 to 1.
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
    let listener = Listener::new(
        engine.clone(),
        &options.expected_languages,
        options.duration,
        cancel,
    );
    let source = Source::mix(audio);
    let windows = windows(audio, &probe);
    let sampled = sample(listener, source.track(&engine, input), &windows, progress, cancel).await?;
    let listened = |source: Source, measured, decode_errors| Listened {
        measured,
        track: source.audio.index,
        channel: source.channel(),
        decode_errors,
        bytes_read: input.bytes_fetched(),
    };
    if sampled.listener.tally().seconds() >= MIN_SPEECH {
        let listened = listened(source, sampled.measured, sampled.decode_errors);
        return Ok(report(sampled.listener.tally(), options, listened));
    }
    let Some(source) = search(&engine, input, &probe, sampled.silent, cancel).await? else {
        return Err(match sampled.damage {
            // The undecodable part of the track may contain speech, so the result is not "no speech".
            Some(error) => error.into(),
            None => TaskError::Skip(SkipCode::NoSpeech),
        });
    };
    let mut listener = sampled.listener;
    let track = source.track(&engine, input);
    let mut mixer = Mixer::new(source.ear);
    let work = move |blocks: &mut dyn Iterator<Item = Sound>, _: &CancellationToken| {
        let measured = listener.follow(&mut blocks.map(|sound| mixer.mix(sound)))?;
        Ok((listener, measured))
    };
    let ((listener, measured), decoded) = feed(&track, probe.facts.duration, cancel, work).await?;
    let listened = listened(source, measured, decoded.decode_errors);
    Ok(report(listener.tally(), options, listened))
}

/// Measurements of the windows of a track.
struct Sampled {
    listener: Listener,
    measured: Vec<LanguageWindow>,
    /// Present when the windows covered the whole track, and there was nothing like speech in it.
    silent: Option<Silent>,
    damage: Option<MediaError>,
    decode_errors: u64,
}

/// The windows of a track, in seconds of the file.
fn windows(audio: &AudioDetails, probe: &Probe) -> Vec<Window> {
    let late = (audio.start - probe.start).max(0.0);
    let duration = audio.duration.unwrap_or(probe.facts.duration - late);
    let mut windows = plan(duration);
    for window in &mut windows {
        window.start += late;
    }
    windows
}

/// Listens to windows of a track until the language is sure.
async fn sample(
    listener: Listener,
    track: Track<'_>,
    windows: &[Window],
    progress: impl Fn(f64),
    cancel: &CancellationToken,
) -> Result<Sampled, TaskError> {
    let mut sampled = Sampled {
        listener,
        measured: Vec::new(),
        silent: None,
        damage: None,
        decode_errors: 0,
    };
    for (index, window) in windows.iter().enumerate() {
        let piece = track.piece(window.start, window.length, cancel).await?;
        sampled.decode_errors += piece.decode_errors;
        // A track that ends before its window was heard to its end.
        let whole =
            windows.len() == 1 && seconds(piece.samples.len()) < window.length && piece.error.is_none();
        let distinct = piece.distinct;
        if piece.samples.is_empty() {
            sampled.damage = sampled.damage.or(piece.error);
        } else {
            let result;
            (sampled.listener, result) = listen(sampled.listener, *window, piece).await?;
            sampled.measured.push(result);
        }
        let listener = &sampled.listener;
        sampled.silent = (whole && !listener.has_voice()).then_some(Silent { distinct });
        progress(((index + 1) as f64 / windows.len() as f64).max(listener.share()));
        if listener.is_done() {
            break;
        }
    }
    Ok(sampled)
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
