//! The report of the stage.

use crate::text::language::{Heard, Tally, other_languages};
use vidp_contract::{
    DetectOptions, DetectReport, Language, LanguageProbability, LanguageWindow, language_name,
};

/// Languages in a report that does not list all of them.
const LISTED_LANGUAGES: usize = 5;

/// The parts that were listened to.
pub(super) struct Listened {
    pub(super) measured: Vec<LanguageWindow>,
    pub(super) track: u32,
    pub(super) channel: Option<u32>,
    pub(super) decode_errors: u64,
    pub(super) bytes_read: u64,
}

/// The report of the stage.
pub(super) fn report(tally: &Tally, options: &DetectOptions, listened: Listened) -> DetectReport {
    let ranked = tally.ranked();
    let (code, confidence) = tally.best();
    let listed = if options.test_all_languages {
        ranked.len()
    } else {
        LISTED_LANGUAGES
    };
    DetectReport {
        language: Language {
            code: code.to_owned(),
            name: language_name(code).unwrap_or(code).to_owned(),
        },
        confidence,
        probabilities: ranked
            .into_iter()
            .take(listed)
            .map(|(code, probability)| LanguageProbability {
                code: code.to_owned(),
                probability,
            })
            .collect(),
        bytes_read: listened.bytes_read,
        other_languages: other_languages(code, listened.measured.iter().filter_map(heard)),
        windows: listened.measured,
        track: Some(listened.track),
        channel: listened.channel,
        decode_errors: listened.decode_errors,
    }
}

fn heard(window: &LanguageWindow) -> Option<Heard> {
    Some(Heard {
        code: window.language.clone()?,
        probability: window.probability?,
        seconds: window.speech_seconds,
    })
}
