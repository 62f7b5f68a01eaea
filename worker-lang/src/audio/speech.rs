//! Finds speech in the probabilities of voice activity detection.

use super::chunk::{CHUNK, seconds};
use std::ops::Range;

/// Probability from which a chunk is speech.
pub(super) const SPEECH_PROBABILITY: f32 = 0.5;
/// Probability below which speech may have ended. Silero's rule also has a distance of 0.15 between the two.
const SILENCE_PROBABILITY: f32 = 0.35;
/// Speech chunks (about 250 ms) of a sound at least. Shorter sounds are clicks.
const MIN_SPEECH_CHUNKS: usize = 8;

/// Seconds of speech in a track at least. Less is a shout, or a sound that resembles speech.
pub(crate) const MIN_SPEECH: f64 = 0.5;

/// Converts probabilities to runs of speech, one chunk at a time.
///
/// A run begins `margin` chunks before speech and ends `margin` chunks after it. It includes pauses that are shorter
/// than `pause` chunks. The rules are those of Silero's `get_speech_timestamps`. Memory does not grow with the track,
/// because a run is returned in parts.
pub(crate) struct Segmenter {
    pause: usize,
    margin: usize,
    /// Number of the next chunk.
    next: usize,
    /// Chunks before this one have been returned or are silence.
    returned: usize,
    /// First chunk of the current sound.
    sound: Option<usize>,
    /// Speech chunks of the current sound.
    voiced: usize,
    /// First chunk of the current pause within the sound.
    silence: Option<usize>,
    /// Speech chunks of all sounds that are long enough.
    total: usize,
}

impl Segmenter {
    /// A segmenter whose runs include pauses shorter than `pause` and a `margin`, both in chunks.
    pub(crate) fn new(pause: usize, margin: usize) -> Self {
        Segmenter {
            pause: pause.max(1),
            margin,
            next: 0,
            returned: 0,
            sound: None,
            voiced: 0,
            silence: None,
            total: 0,
        }
    }

    /// Adds the probability of the next chunk, and returns the chunks that have become known as speech.
    pub(crate) fn push(&mut self, probability: f32) -> Option<Range<usize>> {
        let chunk = self.next;
        self.next += 1;
        if probability >= SPEECH_PROBABILITY {
            self.sound.get_or_insert(chunk);
            self.silence = None;
            self.voiced += 1;
            if self.voiced == MIN_SPEECH_CHUNKS {
                self.total += MIN_SPEECH_CHUNKS;
            } else if self.voiced > MIN_SPEECH_CHUNKS {
                self.total += 1;
            }
        } else if probability < SILENCE_PROBABILITY && self.sound.is_some() {
            let silence = *self.silence.get_or_insert(chunk);
            if chunk - silence + 1 >= self.pause {
                return self.end_sound(silence);
            }
        }
        (self.voiced >= MIN_SPEECH_CHUNKS && self.silence.is_none())
            .then(|| self.return_until(self.next))
            .flatten()
    }

    /// Ends the track, and returns the remaining chunks of speech.
    pub(crate) fn finish(&mut self) -> Option<Range<usize>> {
        let end = self.silence.unwrap_or(self.next);
        self.end_sound(end)
    }

    /// Seconds of speech, without pauses and margins.
    pub(crate) fn speech_seconds(&self) -> f64 {
        seconds(self.total * CHUNK)
    }

    /// First chunk that a later run may still contain. The caller can discard the chunks before it.
    pub(crate) fn horizon(&self) -> usize {
        let start = self.sound.unwrap_or(self.next).saturating_sub(self.margin);
        start.max(self.returned)
    }

    /// Ends the current sound before the chunk `end`.
    fn end_sound(&mut self, end: usize) -> Option<Range<usize>> {
        let run = (self.voiced >= MIN_SPEECH_CHUNKS)
            .then(|| self.return_until((end + self.margin).min(self.next)))
            .flatten();
        self.sound = None;
        self.silence = None;
        self.voiced = 0;
        run
    }

    /// Returns the chunks up to `end` that have not been returned yet.
    fn return_until(&mut self, end: usize) -> Option<Range<usize>> {
        let start = self.horizon();
        self.returned = self.returned.max(end);
        (start < end).then_some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In `track`, `s` is speech, `.` is silence and `-` is a probability between the two.
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
        // Clicks are ignored.
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
