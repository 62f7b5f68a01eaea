//! The `detect` stage: which language is spoken.

use crate::{
    audio::{Piece, Track},
    engine::{Engine, task_error},
    language::Tally,
    pack::Packer,
    speech::{CHUNK, RATE, chunks, seconds},
    whisper::{DETECT_SECONDS, Session},
    windows::{Window, plan},
};
use anyhow::{Context, Result};
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

/// How long the source's URL is valid: longer than the stage could take.
const URL_VALID: Duration = Duration::from_secs(3600);
/// Pauses up to this many seconds stay in the speech that is listened to.
const PAUSE: f64 = 0.5;
/// Seconds kept around speech.
const MARGIN: f64 = 0.2;
/// Seconds of speech in all that was heard, below which there is none: a shout, or a sound taken for one.
const ANY_SPEECH: f64 = 0.5;
/// Samples between two looks at whether there is speech enough.
const STEP: usize = 8 * RATE / CHUNK * CHUNK;

/// Runs one attempt.
pub async fn run(engine: Arc<Engine>, attempt: Arc<Attempt>) -> Result<DetectReport, TaskError> {
    let Work::Detect(options) = &attempt.task.work else {
        return Err(TaskError::fail(
            FailureCode::Internal,
            "this worker finds languages",
        ));
    };
    let url = attempt.source_url(URL_VALID).await?;
    let progress = |share| attempt.progress("listen", share, None);
    detect(engine, Input::Url(&url), options, progress, &attempt.cancel).await
}

/// Listens to windows of the input until the language is sure, or `options.duration` seconds of speech were heard.
///
/// `progress` gets the share done.
pub async fn detect(
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
        engine: &engine,
        input,
        stream: audio.index,
    };
    let windows = plan(audio.duration.unwrap_or(probe.facts.duration));
    let mut listener = Listener {
        session: None,
        engine: engine.clone(),
        cancel: cancel.clone(),
        tally: Tally::among(&options.expected_languages),
        wanted: options.duration,
    };
    let (mut heard, mut bytes_read, mut damage) = (Vec::new(), probe.bytes_read, None);
    for (index, window) in windows.iter().enumerate() {
        let piece = track.piece(window.start, window.length, cancel).await?;
        bytes_read += piece.bytes_read;
        if piece.samples.is_empty() {
            damage = damage.or(piece.error);
            continue;
        }
        let found;
        (listener, found) = blocking(listener, *window, piece).await?;
        heard.push(found);
        progress(
            ((index + 1) as f64 / windows.len() as f64).max(listener.tally.seconds() / options.duration),
        );
        if listener.is_done() {
            break;
        }
    }
    if listener.tally.seconds() < ANY_SPEECH {
        return Err(match damage {
            // Silence is no answer when part of the track could not be heard.
            Some(error) => error.into(),
            None => TaskError::Skip(SkipCode::NoSpeech),
        });
    }
    Ok(report(&listener.tally, options, heard, bytes_read))
}

/// The model's work, off the runtime's threads.
async fn blocking(
    mut listener: Listener,
    window: Window,
    piece: Piece,
) -> Result<(Listener, LanguageWindow), TaskError> {
    let span = tracing::info_span!("process", program = "whisper", window = window.start);
    let work = move || {
        let found = span.in_scope(|| listener.listen(window, &piece.samples))?;
        anyhow::Ok((listener, found))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.context("the speech model's thread ended")
        .flatten()
        .map_err(task_error)
}

struct Listener {
    /// Made for the first speech.
    session: Option<Session>,
    engine: Arc<Engine>,
    cancel: CancellationToken,
    tally: Tally,
    /// Seconds of speech to hear at most.
    wanted: f64,
}

impl Listener {
    fn is_done(&self) -> bool {
        self.tally.is_sure() || self.tally.seconds() >= self.wanted
    }

    /// Listens to one window, no longer than needed.
    fn listen(&mut self, window: Window, samples: &[f32]) -> Result<LanguageWindow> {
        let mut packer = Packer::new(self.engine.vad()?, PAUSE, MARGIN);
        let mut here = Tally::default();
        let mut steps = samples.chunks(STEP).peekable();
        while let Some(step) = steps.next() {
            packer.feed(step)?;
            if steps.peek().is_none() {
                packer.finish();
            }
            while !self.is_done() {
                let longest = DETECT_SECONDS.min(self.wanted - self.tally.seconds());
                let waiting = packer.packed.waiting();
                let look = waiting.min(chunks(longest));
                if look == 0 || (look < chunks(longest) && steps.peek().is_some()) {
                    break;
                }
                let session = match &mut self.session {
                    Some(session) => session,
                    none => none.insert(
                        self.engine
                            .whisper
                            .session(self.engine.idle_threads(), &self.cancel)?,
                    ),
                };
                let probabilities = session.languages(packer.packed.samples(look))?;
                let spoken = packer.packed.spoken(0..look);
                here.add(&probabilities, spoken);
                self.tally.add(&probabilities, spoken);
                packer.packed.split_front(look);
            }
            if self.is_done() {
                break;
            }
        }
        let best = (here.seconds() > 0.0).then(|| here.best());
        Ok(LanguageWindow {
            start: window.start,
            duration: seconds(samples.len()),
            speech_seconds: packer.speech_seconds(),
            language: best.map(|(code, _)| code.to_owned()),
            probability: best.map(|(_, probability)| probability),
        })
    }
}

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
