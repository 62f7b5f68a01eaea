//! Combines the language probabilities of several measurements.

use vidp_contract::{LanguageProbability, language_code};

/// Languages of the model. The large models have one more (`yue`), whose token has another meaning in the other models.
pub(crate) const LANGUAGES: usize = 99;

/// Probability from which more measurements rarely change the result.
///
/// Clips that reach it within 15 s of speech are correct in 98 % of cases; the errors are closely related languages.
const SURE_PROBABILITY: f64 = 0.8;
/// Seconds of speech from which a probability is reliable. Windows of 5 s are correct 10 % less often than 15 s.
const MIN_SECONDS: f64 = 5.0;
/// Probability from which a language of a part of the track counts as heard.
const MIN_OTHER_PROBABILITY: f64 = 0.6;

/// Mean of the probabilities of several measurements, weighted by their seconds of speech.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    expected: Vec<String>,
    sums: Vec<f64>,
    seconds: f64,
}

impl Tally {
    /// A tally of the `expected` language codes only; an empty list means all languages.
    pub(crate) fn among(expected: &[String]) -> Self {
        Tally {
            expected: expected
                .iter()
                .filter_map(|code| language_code(code).map(str::to_owned))
                .collect(),
            ..Tally::default()
        }
    }

    /// Adds a measurement of `seconds` of speech. The probabilities are in whisper.cpp's order.
    pub(crate) fn add(&mut self, probabilities: &[f64], seconds: f64) {
        self.sums.resize(LANGUAGES, 0.0);
        for (sum, probability) in self.sums.iter_mut().zip(probabilities) {
            *sum += probability * seconds;
        }
        self.seconds += seconds;
    }

    /// Seconds of speech in all measurements.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// True when no further measurement is necessary.
    pub(crate) fn is_sure(&self) -> bool {
        self.seconds >= MIN_SECONDS && self.best().1 >= SURE_PROBABILITY
    }

    /// The most probable language and its probability.
    pub(crate) fn best(&self) -> (&'static str, f64) {
        self.ranked().first().copied().unwrap_or(("en", 0.0))
    }

    /// Languages and their probabilities, the most probable first.
    pub(crate) fn ranked(&self) -> Vec<(&'static str, f64)> {
        let is_expected =
            |code: &str| self.expected.is_empty() || self.expected.iter().any(|expected| expected == code);
        let codes = vidp_contract::LANGUAGES.iter().map(|(code, ..)| *code);
        let mut ranked: Vec<_> = codes
            .zip(self.sums.iter().copied())
            .filter(|(code, _)| is_expected(code))
            .collect();
        let total: f64 = ranked.iter().map(|(_, sum)| sum).sum();
        for (_, sum) in &mut ranked {
            *sum = if total > 0.0 { *sum / total } else { 0.0 };
        }
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }
}

/// The language of a part of a track.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heard {
    /// Code of the language.
    pub(crate) code: String,
    /// Its probability, 0 to 1.
    pub(crate) probability: f64,
    /// Seconds of speech in the part.
    pub(crate) seconds: f64,
}

/// Languages of parts other than `best`, with their highest probability, the highest first.
///
/// Parts that are short or uncertain do not count.
pub(crate) fn other_languages(best: &str, parts: impl Iterator<Item = Heard>) -> Vec<LanguageProbability> {
    let mut others: Vec<LanguageProbability> = Vec::new();
    for Heard {
        code,
        probability,
        seconds,
    } in parts
    {
        if code == best || probability < MIN_OTHER_PROBABILITY || seconds < MIN_SECONDS {
            continue;
        }
        match others.iter_mut().find(|other| other.code == code) {
            Some(other) => other.probability = other.probability.max(probability),
            None => others.push(LanguageProbability { code, probability }),
        }
    }
    others.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use vidp_contract::whisper_code;

    #[test]
    fn other_languages_are_named() {
        let parts = [
            ("en", 0.9, 15.0),
            ("fr", 0.7, 15.0),
            ("es", 0.5, 15.0),
            ("it", 0.9, 1.0),
            ("fr", 0.8, 5.0),
            ("ru", 0.95, 5.0),
        ];
        let parts = parts.into_iter().map(|(code, probability, seconds)| Heard {
            code: code.to_owned(),
            probability,
            seconds,
        });
        let found = other_languages("en", parts);
        let found: Vec<_> = found
            .iter()
            .map(|other| (&*other.code, other.probability))
            .collect();
        assert_eq!(found, [("ru", 0.95), ("fr", 0.8)]);
    }

    fn measurement(entries: &[(&str, f64)]) -> Vec<f64> {
        let probability = |code: &str| entries.iter().find(|(c, _)| *c == code).map_or(0.0, |(_, p)| *p);
        vidp_contract::LANGUAGES
            .iter()
            .map(|(code, ..)| probability(code))
            .collect()
    }

    #[test]
    fn the_contract_lists_whispers_languages() {
        assert_eq!(vidp_contract::LANGUAGES.len(), LANGUAGES);
        for (id, (code, name, _)) in (0..).zip(vidp_contract::LANGUAGES) {
            assert_eq!(whisper_rs::get_lang_str(id), Some(whisper_code(code)));
            assert_eq!(
                whisper_rs::get_lang_str_full(id).map(str::to_lowercase),
                Some(name.to_lowercase())
            );
        }
    }

    #[test]
    fn measurements_are_weighted_by_their_speech() {
        let mut tally = Tally::default();
        assert!(!tally.is_sure());
        tally.add(&measurement(&[("en", 1.0)]), 3.0);
        assert_eq!(tally.best(), ("en", 1.0));
        assert!(!tally.is_sure(), "three seconds are not enough");
        tally.add(&measurement(&[("fr", 0.9), ("en", 0.1)]), 12.0);
        assert_eq!((tally.seconds(), tally.best().0), (15.0, "fr"));
        assert!((tally.best().1 - 0.72).abs() < 1e-9);
        assert!(!tally.is_sure());
        tally.add(&measurement(&[("fr", 1.0)]), 15.0);
        assert!(tally.is_sure());
        assert_eq!(tally.ranked().len(), LANGUAGES);
    }

    #[test]
    fn expected_languages_share_the_whole_probability() {
        let mut tally = Tally::among(&["uk".to_owned(), "be".to_owned()]);
        tally.add(&measurement(&[("ru", 0.6), ("uk", 0.3), ("be", 0.1)]), 10.0);
        assert_eq!(
            tally.ranked().iter().map(|(code, _)| *code).collect::<Vec<_>>(),
            ["uk", "be"]
        );
        assert!((tally.best().1 - 0.75).abs() < 1e-9);
    }
}
