//! Distributes time among words.

use super::{
    script::{hangul, wide},
    spelling::Spelled,
    transcript::Word,
};

/// Distributes the time from `start` to `end` among words by their length, between the model's hints.
///
/// A hint that is not after the previous hint and before `end` is ignored.
pub(super) fn timed(spelled: Vec<Spelled>, start: f64, end: f64) -> Vec<Word> {
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
        let mut elapsed = 0.0;
        for index in from + 1..to {
            elapsed += lengths[index - 1];
            bounds[index] = begin + span * elapsed / total;
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

/// Relative time that speaking a word takes: its characters, with pauses for punctuation, weighted as in whisper.cpp.
fn voice_length(text: &str) -> f64 {
    let weight = |c: char| match c {
        '.' | '!' | '?' | '。' | '！' | '？' | '0'..='9' => 3.0,
        ',' | ';' | ':' | '、' | '，' => 2.0,
        c if wide(c) || hangul(c) => 2.0,
        _ => 1.0,
    };
    text.chars().map(weight).sum::<f64>().max(1.0)
}
