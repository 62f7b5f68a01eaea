//! Listens to windows of a track and measures their language.

use crate::{
    audio::{
        chunk::{CHUNK, RATE, chunks, seconds},
        packer::Packer,
        windows::Window,
    },
    model::{
        engine::Engine,
        whisper::{DETECT_SECONDS, Session},
    },
    text::language::Tally,
};
use anyhow::Result;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use vidp_contract::LanguageWindow;

/// Seconds of the longest pause that stays in the speech.
const MAX_PAUSE: f64 = 0.5;
/// Seconds before and after speech that are included.
const MARGIN: f64 = 0.2;
/// Samples between two checks for enough speech.
const STEP_SAMPLES: usize = 8 * RATE / CHUNK * CHUNK;

/// Language detection of one track.
pub(super) struct Listener {
    /// Created for the first speech.
    session: Option<Session>,
    engine: Arc<Engine>,
    cancel: CancellationToken,
    tally: Tally,
    /// Seconds of speech to measure at most.
    max_seconds: f64,
}

impl Listener {
    /// A listener that measures at most `max_seconds` of speech and considers the `expected` languages only.
    pub(super) fn new(
        engine: Arc<Engine>,
        expected: &[String],
        max_seconds: f64,
        cancel: &CancellationToken,
    ) -> Self {
        Listener {
            session: None,
            engine,
            cancel: cancel.clone(),
            tally: Tally::among(expected),
            max_seconds,
        }
    }

    /// The measurements until now.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// True when no further window is necessary.
    pub(super) fn is_done(&self) -> bool {
        self.tally.is_sure() || self.tally.seconds() >= self.max_seconds
    }

    /// Measures the language of one window. It stops as soon as the result is sure.
    pub(super) fn listen(&mut self, window: Window, samples: &[f32]) -> Result<LanguageWindow> {
        let mut packer = Packer::new(self.engine.vad()?, MAX_PAUSE, MARGIN);
        let mut window_tally = Tally::default();
        let mut steps = samples.chunks(STEP_SAMPLES).peekable();
        while let Some(step) = steps.next() {
            packer.feed(step)?;
            if steps.peek().is_none() {
                packer.finish();
            }
            while !self.is_done() {
                let longest = DETECT_SECONDS.min(self.max_seconds - self.tally.seconds());
                let waiting = packer.packed.waiting();
                let length = waiting.min(chunks(longest));
                if length == 0 || (length < chunks(longest) && steps.peek().is_some()) {
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
                let probabilities = session.languages(packer.packed.samples(length))?;
                let spoken = packer.packed.spoken(0..length);
                window_tally.add(&probabilities, spoken);
                self.tally.add(&probabilities, spoken);
                packer.packed.split_front(length);
            }
            if self.is_done() {
                break;
            }
        }
        let best = (window_tally.seconds() > 0.0).then(|| window_tally.best());
        Ok(LanguageWindow {
            start: window.start,
            duration: seconds(samples.len()),
            speech_seconds: packer.speech_seconds(),
            language: best.map(|(code, _)| code.to_owned()),
            probability: best.map(|(_, probability)| probability),
        })
    }
}
