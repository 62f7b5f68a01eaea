//! Joins tokens to characters, and characters to words.

use super::{
    script::{breaks, closing, may_begin, opening, quote},
    tokens::Token,
};

/// A word without times.
#[derive(Debug)]
pub(super) struct Spelled {
    /// The text.
    pub(super) text: String,
    /// True when a space separates it from the previous word.
    pub(super) spaced: bool,
    /// Sum of the probabilities of its tokens.
    pub(super) probability: f64,
    /// Number of its tokens.
    pub(super) tokens: usize,
    /// The model's timestamp for its start, in seconds from the window's start.
    pub(super) hint: Option<f64>,
}

/// Joins text tokens to words. Bytes that are not UTF-8 become replacement characters.
pub(super) fn spell(tokens: &[&Token]) -> Vec<Spelled> {
    let mut words: Vec<Spelled> = Vec::new();
    let mut pending: Vec<u8> = Vec::new();
    let mut sums = (0.0, 0_usize, None);
    for (index, token) in tokens.iter().enumerate() {
        let Token::Text {
            bytes,
            probability,
            hint,
        } = token
        else {
            continue;
        };
        pending.extend_from_slice(bytes);
        sums = (sums.0 + probability, sums.1 + 1, sums.2.or(*hint));
        // A character may span several tokens: read the next token first, unless this is the last one.
        let cut = std::str::from_utf8(&pending).is_err_and(|error| error.error_len().is_none());
        if cut && index + 1 < tokens.len() {
            continue;
        }
        for piece in pieces(&String::from_utf8_lossy(&pending)) {
            attach(&mut words, &piece, sums);
        }
        pending.clear();
        sums = (0.0, 0, None);
    }
    words.retain(|word| !word.text.is_empty());
    words
}

/// Splits the text of a token where a word may begin.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for c in text.chars().filter(|c| !c.is_control() || c.is_whitespace()) {
        match pieces.last_mut() {
            Some(piece) if piece.trim().is_empty() => piece.push(c),
            Some(piece) if !c.is_whitespace() && !piece.ends_with(|last| breaks(last, c)) => piece.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

/// Appends a piece to the last word, or begins a word with it.
fn attach(words: &mut Vec<Spelled>, piece: &str, (probability, tokens, hint): (f64, usize, Option<f64>)) {
    let text = piece.trim();
    let spaced = piece.starts_with(char::is_whitespace);
    let joins = |word: &Spelled| match (word.text.chars().last(), text.chars().next()) {
        // A single space begins a word; an empty word accepts any text.
        (_, None) => false,
        (None, Some(_)) => true,
        // An opening mark joins the word after it, a closing mark the word before it. Straight quotes can be both.
        _ if word.text.chars().all(opening) => true,
        _ if text.chars().all(closing) && !(spaced && text.chars().all(quote)) => true,
        (Some(before), Some(after)) => !spaced && !breaks(before, after) && !may_begin(before, after),
    };
    match words.last_mut() {
        Some(word) if joins(word) => {
            if spaced && !word.text.is_empty() {
                // French has a space before `?`, and dialogue has one after its dash. No line may break there.
                word.text.push('\u{a0}');
            }
            word.text.push_str(text);
            word.probability += probability;
            word.tokens += tokens;
        }
        _ => words.push(Spelled {
            text: text.to_owned(),
            spaced,
            probability,
            tokens,
            hint,
        }),
    }
}
