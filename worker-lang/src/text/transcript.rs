//! Words, segments and transcripts.

use serde::Serialize;
use vidp_contract::LanguageProbability;

/// A word with its punctuation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Word {
    /// The text.
    #[serde(rename = "word")]
    pub(crate) text: String,
    /// Start in seconds.
    pub(crate) start: f64,
    /// End in seconds.
    pub(crate) end: f64,
    /// Mean probability of its tokens, 0 to 1.
    pub(crate) probability: f64,
    /// True when a space separates it from the previous word.
    #[serde(skip)]
    pub(crate) spaced: bool,
}

/// Words between two timestamps of the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Segment {
    /// Start in seconds.
    pub(crate) start: f64,
    /// End in seconds.
    pub(crate) end: f64,
    /// The words as a line of text.
    pub(crate) text: String,
    /// The words.
    pub(crate) words: Vec<Word>,
}

/// Joins words to a line of text.
pub(crate) fn join<'a>(words: impl IntoIterator<Item = &'a Word>) -> String {
    let mut text = String::new();
    for word in words {
        if word.spaced && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    text
}

/// Transcript of a track.
#[derive(Debug)]
pub(crate) struct Transcript {
    /// Code of the spoken language, requested or detected.
    pub(crate) language: String,
    /// Other languages that were heard in windows of the track.
    pub(crate) other_languages: Vec<LanguageProbability>,
    /// Segments in order; their times are seconds of the track.
    pub(crate) segments: Vec<Segment>,
    /// Seconds of speech.
    pub(crate) speech_seconds: f64,
    /// Seconds of audio that were decoded.
    pub(crate) duration: f64,
}
