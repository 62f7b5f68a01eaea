//! Where somebody speaks: Silero voice activity detection, and the rules that turn its probabilities into speech.

use anyhow::{Context, Result};
use std::{ops::Range, path::Path};
use whisper_rs::{WhisperVadContext, WhisperVadContextParams};

/// Samples per second of all audio in this crate: one channel, 32-bit floats.
pub const RATE: usize = 16_000;
/// Samples that get one probability: 32 ms.
pub const CHUNK: usize = 512;
/// Probability from which a chunk is speech.
const SPEECH: f32 = 0.5;
/// Probability below which speech may have ended; Silero's own rule keeps 0.15 between the two.
const SILENCE: f32 = 0.35;
/// Speech chunks (about 250 ms) that a sound must have before it counts: shorter ones are clicks.
const SHORTEST: usize = 8;
/// Audio heard before a block, so that the detector's memory is warm when the block begins.
const WARM_UP: usize = 32 * CHUNK;

/// A number of whole chunks that lasts at least `seconds`.
pub const fn chunks(seconds: f64) -> usize {
    (seconds * RATE as f64 / CHUNK as f64).ceil() as usize
}

/// Seconds that `samples` last.
pub fn seconds(samples: usize) -> f64 {
    samples as f64 / RATE as f64
}

/// The detector, fed with consecutive blocks of one track.
pub struct Vad {
    context: WhisperVadContext,
    before: Vec<f32>,
}

impl Vad {
    /// Loads the model; [`crate::model::check`] has looked at the file.
    pub fn load(path: &Path) -> Result<Vad> {
        let mut params = WhisperVadContextParams::default();
        // Each step is far too small to share out.
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
    /// Blocks are whole chunks long, but for the last.
    pub fn probabilities(&mut self, block: &[f32]) -> Result<Vec<f32>> {
        if block.is_empty() {
            return Ok(Vec::new());
        }
        let warm = self.before.len() / CHUNK;
        self.before.extend_from_slice(block);
        self.context
            .detect_speech(&self.before)
            .context("voice activity detection failed")?;
        let probabilities = self.context.probabilities()[warm..].to_vec();
        let whole = self.before.len() / CHUNK * CHUNK;
        self.before.truncate(whole);
        self.before.drain(..whole.saturating_sub(WARM_UP));
        Ok(probabilities)
    }
}

/// Turns probabilities into runs of speech, one chunk at a time.
///
/// A run begins `margin` chunks before speech and ends `margin` chunks after it; pauses shorter than `pause` chunks
/// belong to it. The rules are those of Silero's `get_speech_timestamps`. Memory does not grow with the track: a run
/// is given out piece by piece.
pub struct Segmenter {
    pause: usize,
    margin: usize,
    /// The next chunk's number.
    now: usize,
    /// Everything before this chunk was given out or is silence.
    done: usize,
    /// Where the present sound began.
    began: Option<usize>,
    /// Speech chunks in it.
    voiced: usize,
    /// Where its present pause began.
    paused: Option<usize>,
    /// Speech chunks of all sounds that counted.
    total: usize,
}

impl Segmenter {
    /// Rules with a longest inner `pause` and a `margin`, both in chunks.
    pub fn new(pause: usize, margin: usize) -> Self {
        Segmenter {
            pause: pause.max(1),
            margin,
            now: 0,
            done: 0,
            began: None,
            voiced: 0,
            paused: None,
            total: 0,
        }
    }

    /// Takes the next chunk's probability; gives the chunks that are now known to be speech.
    pub fn push(&mut self, probability: f32) -> Option<Range<usize>> {
        let chunk = self.now;
        self.now += 1;
        if probability >= SPEECH {
            self.began.get_or_insert(chunk);
            self.paused = None;
            self.voiced += 1;
            if self.voiced == SHORTEST {
                self.total += SHORTEST;
            } else if self.voiced > SHORTEST {
                self.total += 1;
            }
        } else if probability < SILENCE && self.began.is_some() {
            let paused = *self.paused.get_or_insert(chunk);
            if chunk - paused + 1 >= self.pause {
                return self.end(paused);
            }
        }
        (self.voiced >= SHORTEST && self.paused.is_none())
            .then(|| self.give(self.now))
            .flatten()
    }

    /// The track is over: what is still to be given out.
    pub fn finish(&mut self) -> Option<Range<usize>> {
        let end = self.paused.unwrap_or(self.now);
        self.end(end)
    }

    /// Seconds in which somebody spoke, pauses and margins not counted.
    pub fn speech_seconds(&self) -> f64 {
        seconds(self.total * CHUNK)
    }

    /// Chunks before this one will not be asked for again.
    pub fn horizon(&self) -> usize {
        let kept = self.began.unwrap_or(self.now).saturating_sub(self.margin);
        kept.max(self.done)
    }

    fn end(&mut self, end: usize) -> Option<Range<usize>> {
        let given = (self.voiced >= SHORTEST)
            .then(|| self.give((end + self.margin).min(self.now)))
            .flatten();
        self.began = None;
        self.paused = None;
        self.voiced = 0;
        given
    }

    fn give(&mut self, end: usize) -> Option<Range<usize>> {
        let start = self.horizon();
        self.done = self.done.max(end);
        (start < end).then_some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `s` is speech, `.` silence, `-` in between.
    fn check(track: &str, expected: &[(usize, usize)]) {
        let mut segmenter = Segmenter::new(6, 2);
        let mut runs: Vec<Range<usize>> = Vec::new();
        let pieces = track.chars().map(|c| match c {
            's' => segmenter.push(0.9),
            '-' => segmenter.push(0.4),
            _ => segmenter.push(0.0),
        });
        let mut pieces: Vec<_> = pieces.collect();
        pieces.push(segmenter.finish());
        for piece in pieces.into_iter().flatten() {
            match runs.last_mut() {
                Some(run) if run.end == piece.start => run.end = piece.end,
                _ => runs.push(piece),
            }
        }
        let runs: Vec<_> = runs.into_iter().map(|run| (run.start, run.end)).collect();
        assert_eq!(runs, expected, "{track}");
    }

    #[test]
    fn speech_is_found() {
        check("", &[]);
        check("....................", &[]);
        check("-----------------", &[]);
        // Clicks do not count.
        check("....sss.......ssss......", &[]);
        check("....ssssssss..............", &[(2, 14)]);
        // A short pause belongs to the speech, a long one does not.
        check("....ssssssss.....ssss..........", &[(2, 23)]);
        check("....ssssssss......ssssssss......", &[(2, 14), (16, 28)]);
        check("ssssssss", &[(0, 8)]);
        check("....ssssssss.", &[(2, 13)]);
        check("....ssss-----ssss.......", &[(2, 19)]);
        // Margins never overlap.
        check("ssssssss.......ssssssss", &[(0, 10), (13, 23)]);
    }

    #[test]
    fn only_speech_is_counted() {
        let mut segmenter = Segmenter::new(6, 2);
        for chunk in 0..100 {
            segmenter.push(if (20..30).contains(&chunk) || chunk == 60 {
                0.9
            } else {
                0.1
            });
        }
        assert_eq!(segmenter.speech_seconds(), seconds(10 * CHUNK));
    }
}
