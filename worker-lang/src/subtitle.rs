//! The `subtitle` stage: what is said, as captions and a transcript.

use crate::{
    audio::Track,
    captions::{Cue, Rules, cues, rules_kept},
    engine::{Engine, task_error},
    formats::write,
    speech::seconds,
    transcribe::{self, Settings, Transcript},
    whisper::WINDOW_SECONDS,
    words::Word,
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

/// Share of the attempt's progress that the transcription has; the rest is fetching and storing.
const TRANSCRIPTION: f64 = 0.95;
/// Blocks of audio that wait for the model, so that neither waits for the other.
const AHEAD: usize = 2;

/// Runs one attempt.
pub async fn run(engine: Arc<Engine>, attempt: Arc<Attempt>) -> Result<SubtitleReport, TaskError> {
    let Work::Subtitle(options) = &attempt.task.work else {
        return Err(TaskError::fail(
            FailureCode::Internal,
            "this worker makes subtitles",
        ));
    };
    let source = attempt.fetch_source().await?;
    let progress = {
        let attempt = attempt.clone();
        move |share: f64, speed| attempt.progress("transcribe", share * TRANSCRIPTION, Some(speed))
    };
    let transcript = transcribe(engine, Input::File(&source), options, progress, &attempt.cancel).await?;
    attempt.progress("store", TRANSCRIPTION, None);
    let (report, cues) = caption(&transcript, options);
    for format in &options.formats {
        let document = write(*format, text_language(&transcript, options), &transcript, &cues);
        let path = attempt.scratch.join(document.name);
        tokio::fs::write(&path, document.text).await?;
        attempt.put(document.name, &path, document.content_type).await?;
    }
    Ok(report)
}

/// Transcribes the input's first audio track.
///
/// `progress` gets the share done and the seconds of media per second, from the model's thread.
pub async fn transcribe(
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
        engine: &engine,
        input,
        stream: audio.index,
    };
    let duration = probe.facts.duration;
    // The model stops when the task does, and also when the audio turns out to be damaged.
    let stop = cancel.child_token();
    let _stopped = stop.clone().drop_guard();
    let settings = settings(&engine, options, duration);
    let vad = engine.vad().map_err(task_error)?;
    let (blocks, mut waiting) = mpsc::channel::<Vec<f32>>(AHEAD);
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
        let transcript = model.await.context("the speech model's thread ended");
        let transcript = transcript.flatten().map_err(task_error)?;
        whole(&probe, seconds(samples))?;
        Ok::<_, TaskError>(transcript)
    };
    // A step of a large model may take long: whoever cancelled does not wait for it.
    let transcript = tokio::select! {
        done = work => done?,
        () = cancel.cancelled() => return Err(TaskError::Cancelled),
    };
    transcript.ok_or(TaskError::Skip(SkipCode::NoSpeech))
}

/// Shares the task's threads out: windows are transcribed side by side, because ggml's threads wait for each other by
/// spinning. A track of a few windows gets them inside the model instead.
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

/// Refuses a track of which far less could be decoded than the file says it has.
fn whole(probe: &Probe, decoded: f64) -> Result<(), MediaError> {
    let least = match probe.audio.first().and_then(|audio| audio.duration) {
        Some(told) => told * 0.98 - 2.0,
        // The container's duration may be that of the picture.
        None => probe.facts.duration * 0.5 - 2.0,
    };
    if decoded < least {
        return Err(MediaError::media(
            FailureCode::DamagedMedia,
            format!("the file is damaged or incomplete: its sound ends after {decoded:.0} s"),
        ));
    }
    Ok(())
}

/// The captions, and what the stage reports of them.
pub fn caption(transcript: &Transcript, options: &SubtitleOptions) -> (SubtitleReport, Vec<Cue>) {
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

/// The language that the text is in, which need not be the one spoken.
fn text_language<'a>(transcript: &'a Transcript, options: &SubtitleOptions) -> &'a str {
    if options.translate {
        "en"
    } else {
        &transcript.language
    }
}
