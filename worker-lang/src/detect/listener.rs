//! Listens to windows of a track and measures their language.

use crate::{
    audio::{
        chunk::{CHUNK, RATE, chunks, seconds},
        pack::Packed,
        packer::Packer,
        windows::Window,
    },
    model::{
        engine::Engine,
        whisper::{DETECT_SECONDS, Session},
    },
    text::language::Tally,
    transcribe,
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
    voiced: bool,
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
            voiced: false,
        }
    }

    /// The measurements until now.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Share of the speech to measure that is measured, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        (self.tally.seconds() / self.max_seconds).min(1.0)
    }

    /// True when anything in the windows resembled speech.
    pub(super) fn has_voice(&self) -> bool {
        self.voiced
    }

    /// True when no further window is necessary.
    pub(super) fn is_done(&self) -> bool {
        self.tally.is_sure() || self.tally.seconds() >= self.max_seconds
    }

    /// Measures the language of one window. It stops as soon as the result is sure.
    pub(super) fn listen(&mut self, window: Window, samples: &[f32]) -> Result<LanguageWindow> {
        let mut packer = Packer::new(self.engine.vad()?, MAX_PAUSE, MARGIN);
        let mut tally = Tally::default();
        let mut steps = samples.chunks(STEP_SAMPLES).peekable();
        while let Some(step) = steps.next() {
            packer.feed(step)?;
            let is_last = steps.peek().is_none();
            if is_last {
                packer.finish();
            }
            while let Some(part) = self.measure(&mut packer, is_last)? {
                tally.add(&part.probabilities, part.spoken);
            }
            if self.is_done() {
                break;
            }
        }
        self.voiced |= packer.has_voice();
        Ok(language_window(
            window.start,
            seconds(samples.len()),
            packer.speech_seconds(),
            &tally,
        ))
    }

    /// Measures the speech of a whole track, as transcription finds it. Each measurement is a window of the result.
    pub(super) fn follow(
        &mut self,
        blocks: &mut dyn Iterator<Item = Vec<f32>>,
    ) -> Result<Vec<LanguageWindow>> {
        let mut packer = Packer::new(self.engine.vad()?, transcribe::MAX_PAUSE, transcribe::MARGIN);
        let mut windows = Vec::new();
        let mut blocks = blocks.fuse();
        while !self.is_done() {
            let block = blocks.next();
            match &block {
                Some(block) => packer.feed(block)?,
                None => packer.finish(),
            }
            while let Some(part) = self.measure(&mut packer, block.is_none())? {
                let mut tally = Tally::default();
                tally.add(&part.probabilities, part.spoken);
                let (start, end) = (part.packed.start(), part.packed.end());
                windows.push(language_window(start, end - start, part.spoken, &tally));
            }
            if block.is_none() {
                break;
            }
        }
        Ok(windows)
    }

    /// Measures the next part of the packed speech, at most [`DETECT_SECONDS`].
    ///
    /// Returns `None` when no measurement is necessary, or when more speech may follow: `is_last` says that none does.
    fn measure(&mut self, packer: &mut Packer, is_last: bool) -> Result<Option<Part>> {
        let longest = DETECT_SECONDS.min(self.max_seconds - self.tally.seconds());
        let waiting = packer.packed.waiting();
        if self.is_done() || waiting == 0 || (waiting < chunks(longest) && !is_last) {
            return Ok(None);
        }
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(
                self.engine
                    .whisper
                    .session(self.engine.idle_threads(), &self.cancel)?,
            ),
        };
        let packed = packer.packed.split_front(waiting.min(chunks(longest)));
        let part = Part {
            probabilities: session.languages(packed.samples(packed.waiting()))?,
            spoken: packed.spoken(0..packed.waiting()),
            packed,
        };
        self.tally.add(&part.probabilities, part.spoken);
        Ok(Some(part))
    }
}

/// Speech whose language was measured.
struct Part {
    probabilities: Vec<f64>,
    /// Seconds of speech.
    spoken: f64,
    packed: Packed,
}

fn language_window(start: f64, duration: f64, speech_seconds: f64, tally: &Tally) -> LanguageWindow {
    let best = (tally.seconds() > 0.0).then(|| tally.best());
    LanguageWindow {
        start,
        duration,
        speech_seconds,
        language: best.map(|(code, _)| code.to_owned()),
        probability: best.map(|(_, probability)| probability),
    }
}
