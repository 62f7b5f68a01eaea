//! From the probabilities of several looks to one answer.

use crate::whisper::LANGUAGES;

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
        let codes = vidp_contract::LANGUAGES.iter().map(|(code, _)| *code);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn look(entries: &[(&str, f64)]) -> Vec<f64> {
        let probability = |code: &str| entries.iter().find(|(c, _)| *c == code).map_or(0.0, |(_, p)| *p);
        vidp_contract::LANGUAGES
            .iter()
            .map(|(code, _)| probability(code))
            .collect()
    }

    #[test]
    fn the_contract_lists_whispers_languages() {
        assert_eq!(vidp_contract::LANGUAGES.len(), LANGUAGES);
        for (id, (code, name)) in (0..).zip(vidp_contract::LANGUAGES) {
            assert_eq!(whisper_rs::get_lang_str(id), Some(*code));
            assert_eq!(
                whisper_rs::get_lang_str_full(id).map(str::to_lowercase),
                Some(name.to_lowercase())
            );
        }
    }

    #[test]
    fn looks_are_weighed_by_their_speech() {
        let mut tally = Tally::default();
        assert!(!tally.is_sure());
        tally.add(&look(&[("en", 1.0)]), 3.0);
        assert_eq!(tally.best(), ("en", 1.0));
        assert!(!tally.is_sure(), "three seconds are not enough");
        tally.add(&look(&[("fr", 0.9), ("en", 0.1)]), 12.0);
        assert_eq!((tally.seconds(), tally.best().0), (15.0, "fr"));
        assert!((tally.best().1 - 0.72).abs() < 1e-9);
        assert!(!tally.is_sure());
        tally.add(&look(&[("fr", 1.0)]), 15.0);
        assert!(tally.is_sure());
        assert_eq!(tally.ranked().len(), LANGUAGES);
    }

    #[test]
    fn expected_languages_share_everything_among_them() {
        let mut tally = Tally::among(&["uk".to_owned(), "be".to_owned()]);
        tally.add(&look(&[("ru", 0.6), ("uk", 0.3), ("be", 0.1)]), 10.0);
        assert_eq!(
            tally.ranked().iter().map(|(code, _)| *code).collect::<Vec<_>>(),
            ["uk", "be"]
        );
        assert!((tally.best().1 - 0.75).abs() < 1e-9);
    }
}
