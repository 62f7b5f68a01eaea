//! Finds the speech of a track and packs it.

use super::{
    chunk::{CHUNK, chunks},
    pack::Packed,
    speech::{SPEECH_PROBABILITY, Segmenter},
    vad::Vad,
};
use anyhow::Result;
use std::ops::Range;

/// Finds speech in the consecutive blocks of a track and packs it.
pub(crate) struct Packer {
    vad: Vad,
    segmenter: Segmenter,
    /// Audio from chunk `base` on that a later run of speech may contain.
    audio: Vec<f32>,
    /// Probability of speech in each chunk from `base` on.
    voices: Vec<f32>,
    base: usize,
    voiced: bool,
    /// The speech that was found and not yet removed.
    pub(crate) packed: Packed,
}

impl Packer {
    /// Begins a track. The speech includes pauses up to `pause` seconds and `margin` seconds around it.
    pub(crate) fn new(vad: Vad, pause: f64, margin: f64) -> Self {
        Packer {
            vad,
            segmenter: Segmenter::new(chunks(pause), chunks(margin)),
            audio: Vec::new(),
            voices: Vec::new(),
            base: 0,
            voiced: false,
            packed: Packed::default(),
        }
    }

    /// Adds the next block. Blocks contain whole chunks, except the last block of the track.
    pub(crate) fn feed(&mut self, block: &[f32]) -> Result<()> {
        let voices = self.vad.probabilities(block)?;
        self.audio.extend_from_slice(block);
        for voice in voices {
            self.voices.push(voice);
            self.voiced |= voice >= SPEECH_PROBABILITY;
            let range = self.segmenter.push(voice);
            self.pack(range);
        }
        let unneeded = self.segmenter.horizon().min(self.base + self.voices.len()) - self.base;
        self.audio.drain(..(unneeded * CHUNK).min(self.audio.len()));
        self.voices.drain(..unneeded);
        self.base += unneeded;
        Ok(())
    }

    /// Ends the track.
    pub(crate) fn finish(&mut self) {
        let range = self.segmenter.finish();
        self.pack(range);
    }

    /// Seconds of speech found until now.
    pub(crate) fn speech_seconds(&self) -> f64 {
        self.segmenter.speech_seconds()
    }

    /// True when anything resembled speech until now, however short.
    pub(crate) fn has_voice(&self) -> bool {
        self.voiced
    }

    fn pack(&mut self, range: Option<Range<usize>>) {
        if let Some(Range { start, end }) = range {
            let (from, to) = (start - self.base, end - self.base);
            let samples = &self.audio[from * CHUNK..(to * CHUNK).min(self.audio.len())];
            self.packed.append(start, samples, &self.voices[from..to]);
        }
    }
}
