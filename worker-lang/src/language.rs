//! From the probabilities of several looks to one answer.

use crate::whisper::LANGUAGES;
use vidp_common::contract;

/// Probability from which one more look would hardly change the answer: of clips that reach it in 15 s of speech,
/// 98 % are right, and the rest are near relatives.
pub const SURE: f64 = 0.8;
/// Seconds of speech below which no probability is to be believed: 5 s windows are right 10 % less often than 15 s.
pub const ENOUGH: f64 = 5.0;

/// The mean of several looks' probabilities, weighted by the speech in each.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    expected: Vec<String>,
    sums: Vec<f64>,
    seconds: f64,
}

impl Tally {
    /// Chooses among the `expected` codes only, unless there are none.
    pub fn among(expected: &[String]) -> Self {
        Tally {
            expected: expected.to_vec(),
            ..Tally::default()
        }
    }

    /// Adds a look at `seconds` of speech; probabilities in whisper's order.
    pub fn add(&mut self, probabilities: &[f64], seconds: f64) {
        self.sums.resize(LANGUAGES, 0.0);
        for (sum, probability) in self.sums.iter_mut().zip(probabilities) {
            *sum += probability * seconds;
        }
        self.seconds += seconds;
    }

    /// Seconds of speech heard.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// No further look is needed.
    pub fn is_sure(&self) -> bool {
        self.seconds >= ENOUGH && self.best().1 >= SURE
    }

    /// The most likely language and its probability.
    pub fn best(&self) -> (&'static str, f64) {
        self.ranked().first().copied().unwrap_or(("en", 0.0))
    }

    /// Languages and their probabilities, the most likely first.
    pub fn ranked(&self) -> Vec<(&'static str, f64)> {
        let wanted =
            |code: &str| self.expected.is_empty() || self.expected.iter().any(|wanted| wanted == code);
        let codes = contract::LANGUAGES.iter().map(|(code, _)| *code);
        let mut ranked: Vec<_> = codes
            .zip(self.sums.iter().copied())
            .filter(|(code, _)| wanted(code))
            .collect();
        let total: f64 = ranked.iter().map(|(_, sum)| sum).sum();
        for (_, sum) in &mut ranked {
            *sum = if total > 0.0 { *sum / total } else { 0.0 };
        }
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }
}
