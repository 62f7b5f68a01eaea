//! Tokens of the speech model.

/// A token that the model produced.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A timestamp, in seconds from the window's start: the end of the text before it or the start of the text after.
    Mark(f64),
    /// A piece of text.
    Text {
        /// UTF-8 bytes. They may be a part of a word or of a character.
        bytes: Vec<u8>,
        /// Probability, 0 to 1.
        probability: f64,
        /// The most probable timestamp before this token, in seconds from the window's start.
        hint: Option<f64>,
    },
}

/// The last timestamp: the model has transcribed the audio up to there.
pub(crate) fn heard_until(tokens: &[Token]) -> Option<f64> {
    tokens.iter().rev().find_map(|token| match token {
        Token::Mark(time) => Some(*time),
        Token::Text { .. } => None,
    })
}
