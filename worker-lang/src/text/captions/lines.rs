//! Lines of a caption.

use super::Rules;
use crate::{
    script::{combining, ends_clause, ends_sentence, hangul, wide},
    words::{Word, join},
};

/// Words that begin a phrase: a line is better broken before than after them.
const OPENERS: &[&str] = &[
    // English
    "and",
    "or",
    "but",
    "nor",
    "that",
    "which",
    "who",
    "whose",
    "where",
    "when",
    "while",
    "because",
    "if",
    "than",
    "to",
    "of",
    "in",
    "on",
    "at",
    "by",
    "for",
    "from",
    "with",
    "without",
    "into",
    "as",
    "about",
    // French
    "et",
    "ou",
    "mais",
    "que",
    "qui",
    "dont",
    "où",
    "quand",
    "si",
    "pour",
    "dans",
    "avec",
    "sans",
    "sur",
    "par",
    "de",
    // Spanish, Portuguese, Italian
    "y",
    "o",
    "pero",
    "porque",
    "cuando",
    "donde",
    "con",
    "sin",
    "para",
    "en",
    "e",
    "mas",
    "quando",
    "onde",
    "com",
    "sem",
    "em",
    "ma",
    "che",
    "perché",
    "dove",
    "senza",
    "per",
    "su",
    // German, Dutch
    "und",
    "oder",
    "aber",
    "dass",
    "weil",
    "wenn",
    "wo",
    "mit",
    "ohne",
    "für",
    "auf",
    "von",
    "zu",
    "en",
    "maar",
    "dat",
    "omdat",
    "met",
    "voor",
    "van",
    // Russian, Ukrainian, Polish
    "и",
    "или",
    "но",
    "а",
    "что",
    "который",
    "которая",
    "где",
    "когда",
    "если",
    "в",
    "на",
    "с",
    "для",
    "і",
    "та",
    "але",
    "що",
    "i",
    "lub",
    "ale",
    "że",
    "który",
    "gdzie",
    "kiedy",
    "w",
    "z",
    "na",
    "dla",
];

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    match c {
        c if combining(c) => 0,
        c if wide(c) || hangul(c) => 2,
        _ => 1,
    }
}

/// Widths of runs of words, without adding them up each time.
pub struct Measure {
    /// Columns before each word, with the spaces.
    before: Vec<usize>,
    /// Each word's own space.
    space: Vec<usize>,
}

impl Measure {
    pub fn new(words: &[Word]) -> Self {
        let space: Vec<usize> = words.iter().map(|word| usize::from(word.spaced)).collect();
        let mut before = vec![0];
        for (word, space) in words.iter().zip(&space) {
            before.push(before[before.len() - 1] + space + width(&word.text));
        }
        Measure { before, space }
    }

    /// Columns of the words `first..end` on one line.
    pub fn width(&self, first: usize, end: usize) -> usize {
        self.before[end] - self.before[first] - self.space[first]
    }

    /// Lines of `limit` columns that the words `first..end` take.
    pub fn lines(&self, first: usize, end: usize, limit: usize) -> usize {
        let (mut lines, mut from) = (1, first);
        for word in first..end {
            if self.width(from, word + 1) > limit && word > from {
                lines += 1;
                from = word;
            }
            // One word longer than a line: no number of lines is enough.
            if self.width(from, word + 1) > limit {
                return usize::MAX;
            }
        }
        lines
    }
}

/// Breaks a caption's words into lines: one if they fit, else two that are balanced, the upper one rather shorter,
/// broken after punctuation or before a word that begins a phrase.
pub fn lay_out(words: &[Word], rules: &Rules) -> Vec<String> {
    let measure = Measure::new(words);
    if words.len() < 2 || measure.width(0, words.len()) <= rules.width {
        return vec![join(words)];
    }
    let score = |cut: usize| {
        let (upper, lower) = (measure.width(0, cut), measure.width(cut, words.len()));
        let over = upper.saturating_sub(rules.width) + lower.saturating_sub(rules.width);
        let uneven = upper.abs_diff(lower) as f64 / rules.width as f64;
        let top_heavy = if upper > lower { 0.1 } else { 0.0 };
        over as f64 * 10.0 + uneven + top_heavy + phrase(words, cut)
    };
    let cut = (1..words.len())
        .min_by(|&a, &b| score(a).total_cmp(&score(b)))
        .unwrap_or(1);
    vec![join(&words[..cut]), join(&words[cut..])]
}

/// How much a break before `words[cut]` tears a phrase apart.
fn phrase(words: &[Word], cut: usize) -> f64 {
    let opens = |word: &Word| OPENERS.contains(&word.text.to_lowercase().as_str());
    match words[cut - 1].text.chars().last() {
        Some(last) if ends_sentence(last) => 0.0,
        Some(last) if ends_clause(last) => 0.1,
        _ if opens(&words[cut - 1]) => 1.1,
        _ if opens(&words[cut]) => 0.25,
        _ => 0.8,
    }
}
