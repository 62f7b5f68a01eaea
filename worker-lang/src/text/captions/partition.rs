//! Divides words into captions at the lowest total cost.

use super::{lines::Measure, rules::Rules};
use crate::text::{
    script::{ends_clause, ends_sentence},
    transcript::Word,
};

/// Seconds of silence within a caption at most.
const MAX_SILENCE: f64 = 1.5;
/// Seconds of silence from which a gap between words counts as a pause.
const MIN_PAUSE: f64 = 0.4;

/// The end of each caption: the index of its last word plus one.
///
/// Dynamic programming finds the division with the lowest total cost.
pub(super) fn partition(words: &[Word], duration: f64, rules: &Rules, measure: &Measure) -> Vec<usize> {
    let mut best = vec![(f64::INFINITY, 0); words.len() + 1];
    best[0].0 = 0.0;
    for first in 0..words.len() {
        for end in first + 1..=words.len() {
            // A single word is always a valid caption, even when it is too long.
            if end > first + 1 && !fits(words, first, end, rules, measure) {
                break;
            }
            let cost = best[first].0 + cost(words, first, end, duration, rules, measure);
            if cost < best[end].0 {
                best[end] = (cost, first);
            }
        }
    }
    let mut ends = Vec::new();
    let mut end = words.len();
    while end > 0 {
        ends.push(end);
        end = best[end].1;
    }
    ends.reverse();
    ends
}

/// True when the last word of `first..end` may be in the same caption as the words before it.
fn fits(words: &[Word], first: usize, end: usize, rules: &Rules, measure: &Measure) -> bool {
    words[end - 1].end - words[first].start <= rules.longest
        && words[end - 1].start - words[end - 2].end <= MAX_SILENCE
        && measure.lines(first, end, rules.width) <= rules.lines
}

/// Cost of a caption of the words `first..end`. A caption without faults costs 1.
fn cost(words: &[Word], first: usize, end: usize, duration: f64, rules: &Rules, measure: &Measure) -> f64 {
    let pause = |index: usize| words[index].start - words[index - 1].end;
    let last = |index: usize| {
        words[index - 1]
            .text
            .trim_end_matches(['"', '\'', '”', '»', ')'])
            .chars()
            .last()
    };
    let sentence = |index: usize| last(index).is_some_and(ends_sentence);
    let clause = |index: usize| last(index).is_some_and(ends_clause);

    let start = words[first].start;
    let next = words
        .get(end)
        .map_or(duration + rules.longest, |word| word.start - rules.gap);
    let shown = (next - start).clamp(0.001, rules.longest);
    let read = measure.width(first, end) as f64 / rules.speed;
    let too_fast = (read / shown - 1.0).clamp(0.0, 3.0) * 4.0 + if read > shown { 1.0 } else { 0.0 };
    let too_short = (rules.shortest - shown).max(0.0) * 4.0;
    let ending = match end {
        end if end == words.len() || sentence(end) => 0.0,
        end if pause(end) >= MIN_PAUSE => 0.4,
        end if clause(end) => 0.6,
        _ => 1.6,
    };
    let inside: f64 = (first + 1..end)
        .map(|index| if sentence(index) { 1.2 } else { 0.0 } + if pause(index) >= MIN_PAUSE { pause(index) } else { 0.0 })
        .sum();
    let single_word = if end - first == 1 && ending > 0.0 {
        0.8
    } else {
        0.0
    };
    1.0 + too_fast + too_short + ending + inside + single_word
}
