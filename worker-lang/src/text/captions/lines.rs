//! Widths of texts, and the lines of a caption.

use super::{openers::is_opener, rules::Rules};
use crate::text::{
    script::{combining, ends_clause, ends_sentence, hangul, wide},
    transcript::{Word, join},
};

/// Width of a text in columns.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    match c {
        c if combining(c) => 0,
        c if wide(c) || hangul(c) => 2,
        _ => 1,
    }
}

/// Widths of ranges of words, from prefix sums.
pub(super) struct Measure {
    /// Columns before each word, with spaces.
    before: Vec<usize>,
    /// Columns of the space before each word: 1 or 0.
    space: Vec<usize>,
}

impl Measure {
    /// Measures the words.
    pub(super) fn new(words: &[Word]) -> Self {
        let space: Vec<usize> = words.iter().map(|word| usize::from(word.spaced)).collect();
        let mut before = vec![0];
        for (word, space) in words.iter().zip(&space) {
            before.push(before[before.len() - 1] + space + width(&word.text));
        }
        Measure { before, space }
    }

    /// Columns of the words `first..end` on one line.
    pub(super) fn width(&self, first: usize, end: usize) -> usize {
        self.before[end] - self.before[first] - self.space[first]
    }

    /// Number of lines of `limit` columns for the words `first..end`; `usize::MAX` when a word is longer than a line.
    pub(super) fn lines(&self, first: usize, end: usize, limit: usize) -> usize {
        let (mut lines, mut from) = (1, first);
        for word in first..end {
            if self.width(from, word + 1) > limit && word > from {
                lines += 1;
                from = word;
            }
            if self.width(from, word + 1) > limit {
                return usize::MAX;
            }
        }
        lines
    }
}

/// Divides the words of a caption into lines: one if they fit, otherwise two.
///
/// Two lines are balanced, with a preference for a shorter upper line and for a break after punctuation or before a
/// word that begins a phrase.
pub(super) fn lay_out(words: &[Word], rules: &Rules) -> Vec<String> {
    let measure = Measure::new(words);
    if words.len() < 2 || measure.width(0, words.len()) <= rules.width {
        return vec![join(words)];
    }
    let cost = |cut: usize| {
        let (upper, lower) = (measure.width(0, cut), measure.width(cut, words.len()));
        let over = upper.saturating_sub(rules.width) + lower.saturating_sub(rules.width);
        let uneven = upper.abs_diff(lower) as f64 / rules.width as f64;
        let top_heavy = if upper > lower { 0.1 } else { 0.0 };
        over as f64 * 10.0 + uneven + top_heavy + break_cost(words, cut)
    };
    let cut = (1..words.len())
        .min_by(|&a, &b| cost(a).total_cmp(&cost(b)))
        .unwrap_or(1);
    vec![join(&words[..cut]), join(&words[cut..])]
}

/// Cost of a break before `words[cut]`: high when it divides a phrase.
fn break_cost(words: &[Word], cut: usize) -> f64 {
    let opens = |word: &Word| is_opener(&word.text.to_lowercase());
    match words[cut - 1].text.chars().last() {
        Some(last) if ends_sentence(last) => 0.0,
        Some(last) if ends_clause(last) => 0.1,
        _ if opens(&words[cut - 1]) => 1.1,
        _ if opens(&words[cut]) => 0.25,
        _ => 0.8,
    }
}
