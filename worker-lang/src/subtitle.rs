//! The `subtitle` stage: makes captions and a transcript.

use crate::{
    audio::{chunk::seconds, decoder::Sound, mix::Mixer, track::Track},
    listen::{Silent, Source, feed, search},
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
use std::{sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;
use vidp_contract::{
    FailureCode, Language, OutputFile, SkipCode, SubtitleOptions, SubtitleReport, Work, language_code,
    language_name,
};
use vidp_worker::{
    Attempt, TaskError,
    ffmpeg::{self, AudioDetails, Input, MediaError, Probe},
};

/// Progress, 0 to 1, when the transcription is done. Storing the outputs is the rest.
const TRANSCRIBED: f64 = 0.95;

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
    let captioned = transcribe(engine, Input::File(&source), options, progress, &attempt.cancel).await?;
    attempt.progress("store", TRANSCRIBED, None);
    let (report, cues) = caption(&captioned, options);
    let transcript = &captioned.transcript;
    for format in &options.formats {
        let file = OutputFile::subtitle(*format);
        let text = write(*format, text_language(transcript, options), transcript, &cues);
        let path = attempt.scratch.join(&*file.name);
        tokio::fs::write(&path, text).await?;
        attempt.put(&file, &path).await?;
    }
    Ok(report)
}

/// A transcript, and the sound that it is of.
#[derive(Debug)]
pub(crate) struct Captioned {
    /// The text.
    pub(crate) transcript: Transcript,
    /// Index of the stream in the file.
    track: u32,
    /// Number of the only channel that was listened to.
    channel: Option<u32>,
    decode_errors: u64,
}

/// Transcribes the first audio track of the input, or the track or channel with speech when the first has none.
///
/// `progress` receives the share that is done, 0 to 1, and the speed in seconds of media per second. The model's thread
/// calls it.
pub(crate) async fn transcribe(
    engine: Arc<Engine>,
    input: Input<'_>,
    options: &SubtitleOptions,
    progress: impl Fn(f64, f64) + Send + Sync + 'static,
    cancel: &CancellationToken,
) -> Result<Captioned, TaskError> {
    let probe = ffmpeg::probe(&engine.tools, input, &engine.limits, cancel).await?;
    let Some(audio) = probe.audio.first() else {
        return Err(TaskError::Skip(SkipCode::NoAudio));
    };
    let progress = Arc::new(progress);
    let listen = async |source: Source| {
        let track = source.track(&engine, input);
        transcribe_track(&engine, track, &probe, options, progress.clone(), cancel).await
    };
    let mut source = Source::mix(audio);
    let mut heard = listen(source).await?;
    if heard.transcript.is_none() {
        let silent = Some(heard.silent);
        let Some(found) = search(&engine, input, &probe, silent, cancel).await? else {
            return Err(TaskError::Skip(SkipCode::NoSpeech));
        };
        (source, heard) = (found, listen(found).await?);
    }
    Ok(Captioned {
        transcript: heard.transcript.ok_or(TaskError::Skip(SkipCode::NoSpeech))?,
        track: source.audio.index,
        channel: source.channel(),
        decode_errors: heard.decode_errors,
    })
}

/// A track that was transcribed.
struct Heard {
    transcript: Option<Transcript>,
    silent: Silent,
    decode_errors: u64,
}

/// Transcribes one track. It has no transcript when it has no speech.
async fn transcribe_track(
    engine: &Arc<Engine>,
    track: Track<'_>,
    probe: &Probe,
    options: &SubtitleOptions,
    progress: Arc<impl Fn(f64, f64) + Send + Sync + 'static>,
    cancel: &CancellationToken,
) -> Result<Heard, TaskError> {
    let duration = probe.facts.duration;
    let settings = settings(engine, options, duration);
    let vad = engine.vad().map_err(task_error)?;
    let (whisper, started) = (engine.whisper.clone(), Instant::now());
    let mut mixer = Mixer::new(track.ear);
    let work = move |blocks: &mut dyn Iterator<Item = Sound>, stop: &CancellationToken| {
        let done = |seconds: f64| {
            progress(
                (seconds / duration.max(0.1)).min(1.0),
                seconds / started.elapsed().as_secs_f64(),
            )
        };
        let blocks = blocks.map(|sound| mixer.mix(sound));
        let transcript = transcribe::transcribe(&whisper, vad, &settings, blocks, done, stop)?;
        Ok((transcript, mixer.distinct()))
    };
    let ((transcript, distinct), decoded) = feed(&track, duration, cancel, work).await?;
    check_complete(track.audio, probe, seconds(decoded.frames))?;
    Ok(Heard {
        transcript,
        silent: Silent {
            distinct: distinct || track.is_mixed_by_ffmpeg(),
        },
        decode_errors: decoded.decode_errors,
    })
}

/// Divides the task's threads among lanes.
///
/// Lanes transcribe windows in parallel, which is faster than several threads in one run, because ggml's threads spin
/// while they wait for each other. A track with fewer windows than threads gets several threads per lane.
fn settings(engine: &Engine, options: &SubtitleOptions, duration: f64) -> Settings {
    let windows = (duration / WINDOW_SECONDS).ceil().max(1.0) as usize;
    let lanes = engine.threads.min(windows);
    Settings {
        language: language_code(&options.language).map(str::to_owned),
        translate: options.translate,
        lanes,
        threads: (engine.idle_threads() / lanes).max(1),
    }
}

/// Refuses a track that ends much earlier than the file states. `decoded` is its end in seconds from the file's start.
fn check_complete(audio: &AudioDetails, probe: &Probe, decoded: f64) -> Result<(), MediaError> {
    if audio.duration.is_none() && decoded == 0.0 {
        // The track is declared and has no packets.
        return Ok(());
    }
    let required = match audio.duration {
        Some(stated) => stated * 0.98 - 2.0 + (audio.start - probe.start).max(0.0),
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
pub(crate) fn caption(captioned: &Captioned, options: &SubtitleOptions) -> (SubtitleReport, Vec<Cue>) {
    let transcript = &captioned.transcript;
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
        other_languages: transcript.other_languages.clone(),
        track: Some(captioned.track),
        channel: captioned.channel,
        decode_errors: captioned.decode_errors,
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
