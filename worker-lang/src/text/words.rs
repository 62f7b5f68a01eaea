//! From the model's tokens to words with times.

use crate::script::{breaks, closing, hangul, may_begin, opening, quote, wide};
use serde::Serialize;

/// What the model wrote.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A point in time, in seconds from the window's start: the text before it ends or the text after it begins here.
    Mark(f64),
    /// A piece of text.
    Text {
        /// Often part of a word, sometimes part of a character.
        bytes: Vec<u8>,
        /// 0 to 1.
        probability: f64,
        /// Where the model would have put a time mark before this token, in seconds from the window's start.
        hint: Option<f64>,
    },
}

/// A word with the punctuation that belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Word {
    /// The text.
    #[serde(rename = "word")]
    pub text: String,
    /// Seconds.
    pub start: f64,
    /// Seconds.
    pub end: f64,
    /// 0 to 1: the mean over its tokens.
    pub probability: f64,
    /// A space separates it from the word before.
    #[serde(skip)]
    pub spaced: bool,
}

/// Words that the model put between two marks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Segment {
    /// Seconds.
    pub start: f64,
    /// Seconds.
    pub end: f64,
    /// The words as a line of text.
    pub text: String,
    /// The words.
    pub words: Vec<Word>,
}

/// Words as a line of text.
pub fn join<'a>(words: impl IntoIterator<Item = &'a Word>) -> String {
    let mut text = String::new();
    for word in words {
        if word.spaced && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    text
}

/// The last point in time up to which the model has surely heard everything, if it says so.
pub fn heard_until(tokens: &[Token]) -> Option<f64> {
    tokens.iter().rev().find_map(|token| match token {
        Token::Mark(time) => Some(*time),
        Token::Text { .. } => None,
    })
}

/// The segments of one window of `length` seconds; times are seconds from its start.
pub fn segments(tokens: &[Token], length: f64) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut start = 0.0;
    let mut text: Vec<&Token> = Vec::new();
    let mut close = |start: f64, end: f64, text: &mut Vec<&Token>| {
        let words = timed(
            spell(text),
            start.min(length),
            end.clamp(start.min(length), length),
        );
        text.clear();
        if let (Some(first), Some(last)) = (words.first(), words.last()) {
            segments.push(Segment {
                start: first.start,
                end: last.end,
                text: join(&words),
                words,
            });
        }
    };
    for token in tokens {
        match token {
            Token::Mark(time) => {
                close(start, *time, &mut text);
                start = start.max(*time);
            }
            Token::Text { .. } => text.push(token),
        }
    }
    close(start, length, &mut text);
    segments
}

/// A word whose times are not yet known.
#[derive(Debug)]
struct Spelled {
    text: String,
    spaced: bool,
    probability: f64,
    tokens: usize,
    hint: Option<f64>,
}

/// Puts tokens together to characters, and characters to words.
fn spell(tokens: &[&Token]) -> Vec<Spelled> {
    let mut words: Vec<Spelled> = Vec::new();
    let mut pending: Vec<u8> = Vec::new();
    let mut odds = (0.0, 0_usize, None);
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
        odds = (odds.0 + probability, odds.1 + 1, odds.2.or(*hint));
        // A character may be spread over tokens: wait for the rest, unless there is none.
        let cut = std::str::from_utf8(&pending).is_err_and(|error| error.error_len().is_none());
        if cut && index + 1 < tokens.len() {
            continue;
        }
        for piece in pieces(&String::from_utf8_lossy(&pending)) {
            attach(&mut words, &piece, odds);
        }
        pending.clear();
        odds = (0.0, 0, None);
    }
    words.retain(|word| !word.text.is_empty());
    words
}

/// Splits a token's text where a word may begin.
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

fn attach(words: &mut Vec<Spelled>, piece: &str, (probability, tokens, hint): (f64, usize, Option<f64>)) {
    let text = piece.trim();
    let spaced = piece.starts_with(char::is_whitespace);
    let joins = |word: &Spelled| match (word.text.chars().last(), text.chars().next()) {
        // A lone space is the start of a word; a word that only just began takes what comes.
        (_, None) => false,
        (None, Some(_)) => true,
        // An opening mark waits for its word, a closing one never stands alone. Straight quotes may be either.
        _ if word.text.chars().all(opening) => true,
        _ if text.chars().all(closing) && !(spaced && text.chars().all(quote)) => true,
        (Some(before), Some(after)) => !spaced && !breaks(before, after) && !may_begin(before, after),
    };
    match words.last_mut() {
        Some(word) if joins(word) => {
            if spaced && !word.text.is_empty() {
                // French sets a space before `?`, dialogue one after its dash: no line may break there.
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

/// Shares the time from `start` to `end` out among words by their length, around the model's own hints.
fn timed(spelled: Vec<Spelled>, start: f64, end: f64) -> Vec<Word> {
    let lengths: Vec<f64> = spelled.iter().map(|word| voice_length(&word.text)).collect();
    let mut bounds = vec![f64::NAN; spelled.len() + 1];
    bounds[0] = start;
    bounds[spelled.len()] = end;
    let mut last = start;
    for (index, word) in spelled.iter().enumerate().skip(1) {
        if let Some(hint) = word.hint.filter(|hint| *hint > last && *hint < end) {
            bounds[index] = hint;
            last = hint;
        }
    }
    let mut from = 0;
    for to in 1..bounds.len() {
        if bounds[to].is_nan() {
            continue;
        }
        let total: f64 = lengths[from..to].iter().sum();
        let (begin, span) = (bounds[from], bounds[to] - bounds[from]);
        let mut passed = 0.0;
        for index in from + 1..to {
            passed += lengths[index - 1];
            bounds[index] = begin + span * passed / total;
        }
        from = to;
    }
    let words = spelled.into_iter().zip(bounds.windows(2));
    words
        .map(|(word, bound)| Word {
            text: word.text,
            start: bound[0],
            end: bound[1],
            probability: word.probability / word.tokens.max(1) as f64,
            spaced: word.spaced,
        })
        .collect()
}

/// How long a word takes to say, in no particular unit: characters, with pauses for punctuation, as whisper.cpp
/// weighs them.
fn voice_length(text: &str) -> f64 {
    let weigh = |c: char| match c {
        '.' | '!' | '?' | '。' | '！' | '？' | '0'..='9' => 3.0,
        ',' | ';' | ':' | '、' | '，' => 2.0,
        c if wide(c) || hangul(c) => 2.0,
        _ => 1.0,
    };
    text.chars().map(weigh).sum::<f64>().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Token {
        Token::Text {
            bytes: bytes.to_vec(),
            probability: 0.5,
            hint: None,
        }
    }

    /// Tokens are separated by `|`, words by `/`.
    fn check(tokens: &str, expected: &str) {
        let tokens: Vec<Token> = tokens.split('|').map(|part| text(part.as_bytes())).collect();
        let words: Vec<String> = segments(&tokens, 10.0)
            .into_iter()
            .flat_map(|segment| segment.words)
            .map(|word| word.text)
            .collect();
        assert_eq!(words.join("/"), expected);
    }

    #[test]
    fn tokens_become_words() {
        check(" Hel|lo|,| world|!", "Hello,/world!");
        check(" \"|Hello|\"|,| he| said|.", "\"Hello\",/he/said.");
        check(" Bonjour| ?| Oui", "Bonjour\u{a0}?/Oui");
        check(" -| Hello|.| -| Yes|.", "-\u{a0}Hello./-\u{a0}Yes.");
        check(" ¿|Qué| tal|?", "¿Qué/tal?");
        check(" don|'t| l|'|homme", "don't/l'homme");
        check(" |Hello", "Hello");
        check(" 3|.|5| %", "3.5\u{a0}%");
        check(" well|-|known", "well-known");
    }

    #[test]
    fn scripts_without_spaces_are_cut() {
        check("你好|，|世界|。", "你/好，/世/界。");
        check("「|テレビ|」|を|見|た|。", "「テレビ」/を/見/た。");
        check("ちょっ|と", "ちょっ/と");
        check("ส|วั|ส|ดี|เ|พื่อน", "ส/วั/ส/ดี/เพื่อน");
        check("한국|어| 문장|.", "한국어/문장.");
        check("AI|は|GPT|-|4", "AI/は/GPT-4");
    }

    #[test]
    fn characters_spread_over_tokens_are_put_together() {
        let bytes = "я 🙂語".as_bytes();
        let tokens: Vec<Token> = bytes.iter().map(|byte| text(&[*byte])).collect();
        let words = segments(&tokens, 4.0).remove(0);
        assert_eq!(words.text, "я 🙂語");
        assert_eq!(words.words.len(), 3);
        let broken = [text(b" ok"), text(&[0xe8, 0xaa])];
        assert_eq!(segments(&broken, 4.0)[0].text, "ok\u{fffd}");
    }

    #[test]
    fn times_follow_marks_hints_and_lengths() {
        let hinted = |bytes: &[u8], hint| Token::Text {
            bytes: bytes.to_vec(),
            probability: 1.0,
            hint: Some(hint),
        };
        let tokens = [
            Token::Mark(1.0),
            text(b" aa"),
            text(b" aa"),
            hinted(b" bb", 2.0),
            // A hint that goes back in time is not believed.
            hinted(b" cc", 0.5),
            Token::Mark(4.0),
            Token::Mark(5.0),
            text(b" dd"),
            // Past the end of the window.
            Token::Mark(30.0),
        ];
        let found = segments(&tokens, 6.0);
        let times: Vec<(f64, f64)> = found
            .iter()
            .flat_map(|segment| &segment.words)
            .map(|word| (word.start, word.end))
            .collect();
        assert_eq!(
            times,
            [(1.0, 1.5), (1.5, 2.0), (2.0, 3.0), (3.0, 4.0), (5.0, 6.0)]
        );
        assert_eq!(heard_until(&tokens), Some(30.0));
        assert_eq!(found[0].words[0].probability, 0.5);
    }
}
