//! The `subtitle` stage: makes captions and a transcript.

use crate::{
    audio::{chunk::seconds, track::Track},
    model::{
        engine::{Engine, task_error},
        whisper::WINDOW_SECONDS,
    },
    text::{
        captions::{Cue, Rules, cues, rules_kept},
        formats::write,
        transcript::{Transcript, Word},
    },
    transcribe::{self, Settings},
};
use anyhow::Context;
use std::{iter, sync::Arc, time::Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vidp_contract::{FailureCode, Language, SkipCode, SubtitleOptions, SubtitleReport, Work, language_name};
use vidp_worker::{
    Attempt, TaskError,
    ffmpeg::{self, Input, MediaError, Probe},
};

/// Progress, 0 to 1, when the transcription is done. Storing the outputs is the rest.
const TRANSCRIBED: f64 = 0.95;
/// Decoded blocks that may wait for the model, so that decoding and transcription run at the same time.
const MAX_QUEUED_BLOCKS: usize = 2;

/// Runs an attempt of a `subtitle` task.
///
/// # Errors
/// Those of the media, the models and the object store; skipped when the video has no audio or no speech.
pub async fn run(engine: Arc<Engine>, attempt: Arc<Attempt>) -> Result<SubtitleReport, TaskError> {
    let Work::Subtitle(options) = &attempt.task.work else {
        return Err(TaskError::fail(
            FailureCode::Internal,
            "the task is not a subtitle task",
        ));
    };
    let source = attempt.fetch_source().await?;
    let progress = {
        let attempt = attempt.clone();
        move |share: f64, speed| attempt.progress("transcribe", share * TRANSCRIBED, Some(speed))
    };
    let transcript = transcribe(engine, Input::File(&source), options, progress, &attempt.cancel).await?;
    attempt.progress("store", TRANSCRIBED, None);
    let (report, cues) = caption(&transcript, options);
    for format in &options.formats {
        let document = write(*format, text_language(&transcript, options), &transcript, &cues);
        let path = attempt.scratch.join(document.name);
        tokio::fs::write(&path, document.text).await?;
        attempt.put(document.name, &path, document.content_type).await?;
    }
    Ok(report)
}

/// Transcribes the first audio track of the input.
///
/// `progress` receives the share that is done, 0 to 1, and the speed in seconds of media per second. The model's thread
/// calls it.
pub(crate) async fn transcribe(
    engine: Arc<Engine>,
    input: Input<'_>,
    options: &SubtitleOptions,
    progress: impl Fn(f64, f64) + Send + Sync + 'static,
    cancel: &CancellationToken,
) -> Result<Transcript, TaskError> {
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
    let duration = probe.facts.duration;
    // The guard stops the model when this function returns, for example because the audio is damaged.
    let stop = cancel.child_token();
    let _stop_on_return = stop.clone().drop_guard();
    let settings = settings(&engine, options, duration);
    let vad = engine.vad().map_err(task_error)?;
    let (blocks, mut waiting) = mpsc::channel::<Vec<f32>>(MAX_QUEUED_BLOCKS);
    let (whisper, started) = (engine.whisper.clone(), Instant::now());
    let span = tracing::info_span!("process", program = "whisper");
    let model = tokio::task::spawn_blocking(move || {
        let _in_span = span.entered();
        let done = |seconds: f64| {
            progress(
                (seconds / duration.max(0.1)).min(1.0),
                seconds / started.elapsed().as_secs_f64(),
            )
        };
        let blocks = iter::from_fn(|| waiting.blocking_recv());
        transcribe::transcribe(&whisper, vad, &settings, blocks, done, &stop)
    });
    let work = async {
        let samples = track.stream(duration, blocks, cancel).await?;
        let transcript = model
            .await
            .context("the speech model's thread ended unexpectedly");
        let transcript = transcript.flatten().map_err(task_error)?;
        check_complete(&probe, seconds(samples))?;
        Ok::<_, TaskError>(transcript)
    };
    // A step of a large model may take long, so a cancellation does not wait for its end.
    let transcript = tokio::select! {
        done = work => done?,
        () = cancel.cancelled() => return Err(TaskError::Cancelled),
    };
    transcript.ok_or(TaskError::Skip(SkipCode::NoSpeech))
}

/// Divides the task's threads among lanes.
///
/// Lanes transcribe windows in parallel, which is faster than several threads in one run, because ggml's threads spin
/// while they wait for each other. A track with fewer windows than threads gets several threads per lane.
fn settings(engine: &Engine, options: &SubtitleOptions, duration: f64) -> Settings {
    let windows = (duration / WINDOW_SECONDS).ceil().max(1.0) as usize;
    let lanes = engine.threads.min(windows);
    Settings {
        language: (options.language != "auto").then(|| options.language.clone()),
        translate: options.translate,
        lanes,
        threads: (engine.idle_threads() / lanes).max(1),
    }
}

/// Refuses a track with much less decoded audio than the file states.
fn check_complete(probe: &Probe, decoded: f64) -> Result<(), MediaError> {
    let required = match probe.audio.first().and_then(|audio| audio.duration) {
        Some(stated) => stated * 0.98 - 2.0,
        // The container's duration may be the duration of the picture.
        None => probe.facts.duration * 0.5 - 2.0,
    };
    if decoded < required {
        return Err(MediaError::media(
            FailureCode::DamagedMedia,
            format!("the file is damaged or incomplete: its audio ends after {decoded:.0} s"),
        ));
    }
    Ok(())
}

/// Makes the captions and the report of the stage.
pub(crate) fn caption(transcript: &Transcript, options: &SubtitleOptions) -> (SubtitleReport, Vec<Cue>) {
    let words: Vec<Word> = transcript
        .segments
        .iter()
        .flat_map(|segment| segment.words.clone())
        .collect();
    let rules = Rules::of(text_language(transcript, options));
    let cues = cues(&words, transcript.duration, &rules);
    let code = &transcript.language;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let report = SubtitleReport {
        language: Language {
            code: code.clone(),
            name: language_name(code).unwrap_or(code).to_owned(),
        },
        translated: options.translate,
        speech_seconds: transcript.speech_seconds,
        cues: count(cues.len()),
        words: count(words.len()),
        rules_kept: rules_kept(&cues, &rules),
    };
    (report, cues)
}

/// Code of the language of the text, which is English for a translation.
fn text_language<'a>(transcript: &'a Transcript, options: &SubtitleOptions) -> &'a str {
    if options.translate {
        "en"
    } else {
        &transcript.language
    }
}
