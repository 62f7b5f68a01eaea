//! Voice activity detection with the Silero model.

use super::chunk::CHUNK;
use anyhow::{Context, Result};
use std::path::Path;
use whisper_rs::{WhisperVadContext, WhisperVadContextParams};

/// Samples before a block that are detected again with it, so that the model's state is warm when the block begins.
const WARM_UP: usize = 32 * CHUNK;
/// Peak below which a block is silence (-78 dB). The noise of 16-bit dither is quieter, and no speech is.
const SILENT_PEAK: f32 = 1.0 / 8192.0;

/// A detector that receives consecutive blocks of one track.
pub(crate) struct Vad {
    context: WhisperVadContext,
    before: Vec<f32>,
}

impl Vad {
    /// Loads the model. The caller has checked the file, because whisper.cpp aborts on some wrong files.
    pub(crate) fn load(path: &Path) -> Result<Vad> {
        let mut params = WhisperVadContextParams::default();
        // One step of this model is too small to divide among threads.
        params.set_n_threads(1);
        let name = path
            .to_str()
            .context("the path of the voice activity model is not UTF-8")?;
        let context = WhisperVadContext::new(name, params).with_context(|| {
            format!(
                "{}: whisper.cpp does not accept this voice activity model",
                path.display()
            )
        })?;
        Ok(Vad {
            context,
            before: Vec::new(),
        })
    }

    /// The probability of speech in each chunk of the track's next `block`.
    ///
    /// Blocks contain whole chunks, except the last block of the track.
    pub(crate) fn probabilities(&mut self, block: &[f32]) -> Result<Vec<f32>> {
        if block.is_empty() {
            return Ok(Vec::new());
        }
        let warm = self.before.len() / CHUNK;
        self.before.extend_from_slice(block);
        // Hours of silence take no time.
        let probabilities = if block.iter().all(|sample| sample.abs() < SILENT_PEAK) {
            vec![0.0; block.len().div_ceil(CHUNK)]
        } else {
            self.context
                .detect_speech(&self.before)
                .context("voice activity detection failed")?;
            self.context.probabilities()[warm..].to_vec()
        };
        let whole = self.before.len() / CHUNK * CHUNK;
        self.before.truncate(whole);
        self.before.drain(..whole.saturating_sub(WARM_UP));
        Ok(probabilities)
    }
}
