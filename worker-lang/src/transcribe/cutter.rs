//! Finds the speech of a track and divides it into windows.

use super::job::{Job, Settings};
use crate::{
    audio::{
        chunk::{CHUNK, chunks},
        packer::Packer,
        speech::MIN_SPEECH,
        vad::Vad,
    },
    model::whisper::{Cancelled, DETECT_SECONDS, WINDOW_SECONDS, Whisper},
    text::language::Tally,
};
use anyhow::{Result, ensure};
use std::sync::{Arc, mpsc};
use tokio_util::sync::CancellationToken;

/// Seconds of the longest pause that stays in the speech. Pauses show the model where sentences end. This is
/// faster-whisper's default.
pub(crate) const MAX_PAUSE: f64 = 2.0;
/// Seconds before and after speech that are included, so that no sound is cut off. This is faster-whisper's default.
pub(crate) const MARGIN: f64 = 0.4;

/// Finds the speech of a track and sends it to the lanes in windows.
pub(super) struct Cutter<'a> {
    whisper: &'a Arc<Whisper>,
    settings: &'a Settings,
    packer: Packer,
    language: Option<String>,
    samples: usize,
    number: usize,
    stop: &'a CancellationToken,
}

impl<'a> Cutter<'a> {
    /// A cutter at the beginning of a track.
    pub(super) fn new(
        whisper: &'a Arc<Whisper>,
        settings: &'a Settings,
        vad: Vad,
        stop: &'a CancellationToken,
    ) -> Self {
        Cutter {
            whisper,
            settings,
            packer: Packer::new(vad, MAX_PAUSE, MARGIN),
            language: settings.language.clone(),
            samples: 0,
            number: 0,
            stop,
        }
    }

    /// Number of samples in the blocks of the track.
    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    /// Seconds of speech in the track.
    pub(super) fn speech_seconds(&self) -> f64 {
        self.packer.speech_seconds()
    }

    /// Code of the spoken language, or `None` for a track without speech.
    pub(super) fn into_language(self) -> Option<String> {
        let has_speech = self.number > 0 && self.speech_seconds() >= MIN_SPEECH;
        self.language.filter(|_| has_speech)
    }

    /// Sends the speech of all blocks to `jobs`.
    pub(super) fn run(
        &mut self,
        blocks: impl Iterator<Item = Vec<f32>>,
        jobs: mpsc::SyncSender<Job>,
    ) -> Result<()> {
        for block in blocks {
            ensure!(!self.stop.is_cancelled(), Cancelled);
            self.samples += block.len();
            self.packer.feed(&block)?;
            // The limit is a little more than a window, so that every window can end in a pause.
            while self.packer.packed.waiting() > chunks(WINDOW_SECONDS) + 1 {
                self.send_window(&jobs)?;
            }
        }
        self.packer.finish();
        if self.speech_seconds() < MIN_SPEECH {
            return Ok(());
        }
        while self.packer.packed.waiting() > 0 {
            self.send_window(&jobs)?;
        }
        Ok(())
    }

    /// Sends the next window to the lanes.
    fn send_window(&mut self, jobs: &mpsc::SyncSender<Job>) -> Result<()> {
        let language = match &self.language {
            Some(language) => language.clone(),
            None => self.language.insert(self.detect_language()?).clone(),
        };
        let packed = &mut self.packer.packed;
        let job = Job {
            number: self.number,
            packed: packed.split_front(packed.window(WINDOW_SECONDS)),
            language,
        };
        self.number += 1;
        // The send fails only when all lanes have failed. The caller then reports the error of a lane.
        jobs.send(job).map_err(|_| Cancelled.into())
    }

    /// Detects the language of the first speech, with a second measurement when the first is uncertain.
    fn detect_language(&self) -> Result<String> {
        let mut session = self
            .whisper
            .session(self.settings.lanes * self.settings.threads, self.stop)?;
        let mut tally = Tally::default();
        let packed = &self.packer.packed;
        let length = chunks(DETECT_SECONDS);
        for start in [0, length] {
            let end = (start + length).min(packed.waiting());
            if start < end && !tally.is_sure() {
                let speech = &packed.samples(end)[start * CHUNK..];
                tally.add(&session.languages(speech)?, packed.spoken(start..end));
            }
        }
        Ok(tally.best().0.to_owned())
    }
}
