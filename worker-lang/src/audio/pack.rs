//! Speech of a track without its silences, and the conversion of its times to times of the track.

use super::chunk::{CHUNK, RATE, chunk_at, chunks, seconds, time_of};
use std::{mem, ops::Range};

/// Seconds at the end of a full window in which the best pause is chosen as its end.
const CUT_RANGE: f64 = 10.0;
/// Probability of speech below which a chunk is quiet.
const QUIET_PROBABILITY: f32 = 0.35;

/// Speech that waits for transcription. Positions are counted in chunks of [`CHUNK`] samples.
#[derive(Clone, Default)]
pub(crate) struct Packed {
    samples: Vec<f32>,
    /// Probability of speech in each chunk.
    voices: Vec<f32>,
    runs: Vec<Run>,
}

/// A run of consecutive chunks of the track: chunk `packed` here is chunk `source` there.
#[derive(Clone, Copy, Debug)]
struct Run {
    packed: usize,
    source: usize,
}

impl Packed {
    /// Appends chunks that begin at chunk `source` of the track.
    pub(super) fn append(&mut self, source: usize, samples: &[f32], voices: &[f32]) {
        let packed = self.voices.len();
        let continues = self
            .runs
            .last()
            .is_some_and(|run| run.source + (packed - run.packed) == source);
        if !continues {
            self.runs.push(Run { packed, source });
        }
        self.samples.extend_from_slice(samples);
        self.voices.extend_from_slice(voices);
        self.samples.resize(self.voices.len() * CHUNK, 0.0);
    }

    /// Number of chunks.
    pub(crate) fn waiting(&self) -> usize {
        self.voices.len()
    }

    /// The samples of the first `len` chunks.
    pub(crate) fn samples(&self, len: usize) -> &[f32] {
        &self.samples[..len * CHUNK]
    }

    /// Number of chunks to transcribe next, at most `max_seconds`.
    ///
    /// This is every chunk, or the chunks up to the quietest pause near the limit (the latest of equal pauses).
    pub(crate) fn window(&self, max_seconds: f64) -> usize {
        let longest = (max_seconds * RATE as f64) as usize / CHUNK;
        if self.waiting() <= longest {
            return self.waiting();
        }
        let loudness = |cut: usize| -> f32 { self.voices[cut - 2..cut + 2].iter().sum() };
        let earliest = longest.saturating_sub(chunks(CUT_RANGE)).max(longest / 2);
        (earliest..=longest)
            .rev()
            .filter(|&cut| cut + 2 <= self.waiting())
            .min_by(|&a, &b| {
                let joint = |cut| !self.runs.iter().any(|run| run.packed == cut);
                joint(a).cmp(&joint(b)).then(loudness(a).total_cmp(&loudness(b)))
            })
            .unwrap_or(longest)
    }

    /// Seconds of speech in a range of chunks.
    pub(crate) fn spoken(&self, range: Range<usize>) -> f64 {
        let voiced = self.voices[range].iter().filter(|voice| **voice >= 0.5).count();
        seconds(voiced * CHUNK)
    }

    /// Removes quiet chunks from both ends of a span, in seconds of packed time. A quiet span stays unchanged.
    pub(crate) fn tighten(&self, start: f64, end: f64) -> (f64, f64) {
        let (first, last) = (chunk_at(start), chunk_at(end).min(self.waiting()));
        let quiet = |chunk: &usize| self.voices[*chunk] < QUIET_PROBABILITY;
        let before = (first..last).take_while(quiet).count();
        if first >= last || before == last - first {
            return (start, end);
        }
        let after = (first..last).rev().take_while(quiet).count();
        let start = if before > 0 {
            time_of(first + before)
        } else {
            start
        };
        let end = if after > 0 { time_of(last - after) } else { end };
        (start, end.max(start))
    }

    /// Converts a span of packed time to the track's time, in seconds.
    ///
    /// A span that crosses from one run to another is cut to the longer of its parts.
    pub(crate) fn locate(&self, start: f64, end: f64) -> (f64, f64) {
        let first = self.run_at(start);
        let last = self.run_at((end - 1e-6).max(start));
        if first == last {
            let shift = self.shift(first);
            return (start + shift, end + shift);
        }
        let joint = time_of(self.runs[first + 1].packed);
        let tail = time_of(self.runs[last].packed);
        if joint - start >= end - tail {
            let shift = self.shift(first);
            (start + shift, joint + shift)
        } else {
            let shift = self.shift(last);
            (tail + shift, end + shift)
        }
    }

    /// Start of the packed speech in the track, in seconds.
    pub(crate) fn start(&self) -> f64 {
        self.runs
            .first()
            .map_or(0.0, |run| time_of(run.source) - time_of(run.packed))
    }

    /// End of the packed speech in the track, in seconds.
    pub(crate) fn end(&self) -> f64 {
        time_of(self.waiting())
            + self
                .runs
                .len()
                .checked_sub(1)
                .map_or(0.0, |last| self.shift(last))
    }

    /// Removes the first `count` chunks and returns them.
    pub(crate) fn split_front(&mut self, count: usize) -> Packed {
        let samples = self.samples.split_off(count * CHUNK);
        let voices = self.voices.split_off(count);
        let cut = self.runs.partition_point(|run| run.packed < count);
        let mut runs = self.runs.split_off(cut);
        for run in &mut runs {
            run.packed -= count;
        }
        let joined = runs.first().is_some_and(|run| run.packed == 0);
        if let (Some(run), false) = (self.runs.last(), joined || voices.is_empty()) {
            runs.insert(
                0,
                Run {
                    packed: 0,
                    source: run.source + (count - run.packed),
                },
            );
        }
        mem::replace(
            self,
            Packed {
                samples,
                voices,
                runs,
            },
        )
    }

    /// Index of the run that contains a packed time.
    fn run_at(&self, time: f64) -> usize {
        let chunk = chunk_at(time);
        self.runs
            .partition_point(|run| run.packed <= chunk)
            .saturating_sub(1)
    }

    /// Seconds to add to a packed time in a run to obtain the track's time.
    fn shift(&self, run: usize) -> f64 {
        self.runs
            .get(run)
            .map_or(0.0, |run| time_of(run.source) - time_of(run.packed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(runs: &[(usize, &[f32])]) -> Packed {
        let mut packed = Packed::default();
        for (source, voices) in runs {
            packed.append(*source, &vec![0.5; voices.len() * CHUNK], voices);
        }
        packed
    }

    fn near(found: (f64, f64), expected: (f64, f64)) {
        let close = (found.0 - expected.0).abs() < 1e-6 && (found.1 - expected.1).abs() < 1e-6;
        assert!(close, "{found:?} is not {expected:?}");
    }

    #[test]
    fn packed_time_leads_back_to_the_track() {
        let loud = [0.9; 100];
        let mut packed = packed(&[(50, &loud), (150, &loud), (1000, &loud)]);
        assert_eq!(packed.runs.len(), 2);
        near(packed.locate(0.0, 1.0), (1.6, 2.6));
        near(packed.locate(6.4, 7.0), (32.0, 32.6));
        near(packed.locate(6.0, 6.4), (7.6, 8.0));
        // These spans cross a joint: the longer part remains.
        near(packed.locate(5.4, 6.5), (7.0, 8.0));
        near(packed.locate(6.3, 7.4), (32.0, 33.0));
        let front = packed.split_front(210);
        near(front.locate(6.0, 6.4), (7.6, 8.0));
        near((front.end(), packed.end()), (32.32, 35.2));
        near(packed.locate(0.0, 1.0), (32.32, 33.32));
        packed.split_front(90);
        assert_eq!((packed.waiting(), packed.runs.len()), (0, 0));
    }

    #[test]
    fn spans_shrink_to_the_voice() {
        let mut voices = [0.9; 100];
        voices[10..20].fill(0.0);
        let packed = packed(&[(0, &voices)]);
        near(packed.tighten(0.32, 1.0), (0.64, 1.0));
        near(packed.tighten(0.1, 0.5), (0.1, 0.32));
        near(packed.tighten(0.1, 1.0), (0.1, 1.0));
        near(packed.tighten(0.33, 0.5), (0.33, 0.5));
        near(packed.tighten(3.0, 9.0), (3.0, 9.0));
    }

    #[test]
    fn windows_end_in_pauses() {
        let mut voices = vec![0.9; 2000];
        assert_eq!(packed(&[(0, &voices[..300])]).window(30.0), 300);
        assert_eq!(packed(&[(0, &voices)]).window(30.0), 937);
        voices[700..710].fill(0.1);
        let window = packed(&[(0, &voices)]).window(30.0);
        assert!((702..=708).contains(&window), "{window}");
        // A joint is the best pause.
        assert_eq!(packed(&[(0, &voices[..800]), (5000, &voices)]).window(30.0), 800);
    }
}
