//! Measures how much speech a track has.

use super::{chunk::chunks, speech::Segmenter, vad::Vad};
use anyhow::Result;

/// Counts the speech in the consecutive blocks of a track.
pub(crate) struct Meter {
    vad: Vad,
    segmenter: Segmenter,
}

impl Meter {
    /// Begins a track, whose speech includes pauses up to `pause` seconds.
    pub(crate) fn new(vad: Vad, pause: f64) -> Self {
        Meter {
            vad,
            segmenter: Segmenter::new(chunks(pause), 0),
        }
    }

    /// Adds the next block. Blocks contain whole chunks, except the last block of the track.
    pub(crate) fn feed(&mut self, block: &[f32]) -> Result<()> {
        for voice in self.vad.probabilities(block)? {
            self.segmenter.push(voice);
        }
        Ok(())
    }

    /// Seconds of speech until now.
    pub(crate) fn seconds(&self) -> f64 {
        self.segmenter.speech_seconds()
    }
}
