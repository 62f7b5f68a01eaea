//! Words to captions, by the rules of broadcasters. Pure.
//!
//! Sources: Netflix's *Timed Text Style Guide* (general requirements, and each language's for hearing-impaired
//! viewers in their own language) and the BBC's *Subtitle Guidelines*.

mod lines;
mod rules;

pub use rules::Rules;

use crate::{
    script::{ends_clause, ends_sentence},
    words::Word,
};
use lines::{Measure, lay_out};

/// Seconds of silence over which no caption stands.
const SILENCE: f64 = 1.5;
/// Seconds of a pause that is heard as one.
const PAUSE: f64 = 0.4;
/// A caption ends at the next one, less the gap, when less than this many seconds would lie between them: a short
/// blank between captions flickers.
const FLICKER: f64 = 0.5;

/// One caption.
#[derive(Clone, Debug, PartialEq)]
pub struct Cue {
    /// Milliseconds.
    pub start: u64,
    /// Milliseconds.
    pub end: u64,
    /// One line or two.
    pub lines: Vec<String>,
}

/// Captions for `words` of a track of `duration` seconds.
pub fn cues(words: &[Word], duration: f64, rules: &Rules) -> Vec<Cue> {
    let measure = Measure::new(words);
    let ends = partition(words, duration, rules, &measure);
    let mut first = 0;
    let mut cues: Vec<Cue> = Vec::with_capacity(ends.len());
    for end in ends {
        let next = words
            .get(end)
            .map_or(duration.max(words[end - 1].end), |word| word.start - rules.gap);
        let (start, spoken) = (words[first].start, words[end - 1].end);
        let read = start + (measure.width(first, end) as f64 / rules.speed).max(rules.shortest);
        let wanted = if next - spoken < FLICKER {
            next
        } else {
            spoken.max(read)
        };
        let until = wanted.min(next).min(start + rules.longest);
        cues.push(Cue {
            start: millis(start),
            end: millis(until).max(millis(start) + 1),
            lines: lay_out(&words[first..end], rules),
        });
        first = end;
    }
    cues
}

/// The share of cues that keep every rule, 0 to 1; 1 when there are none.
pub fn rules_kept(cues: &[Cue], rules: &Rules) -> f64 {
    let kept = (0..cues.len()).filter(|&index| rules.keeps(&cues[index], cues.get(index + 1)));
    if cues.is_empty() {
        1.0
    } else {
        kept.count() as f64 / cues.len() as f64
    }
}

fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round().max(0.0) as u64
}

/// Where captions end (a word's index plus one), at the lowest total cost.
fn partition(words: &[Word], duration: f64, rules: &Rules, measure: &Measure) -> Vec<usize> {
    let mut best = vec![(f64::INFINITY, 0); words.len() + 1];
    best[0].0 = 0.0;
    for first in 0..words.len() {
        for end in first + 1..=words.len() {
            // A single word is a caption, however long.
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

/// The last word of `first..end` may stand in the caption.
fn fits(words: &[Word], first: usize, end: usize, rules: &Rules, measure: &Measure) -> bool {
    words[end - 1].end - words[first].start <= rules.longest
        && words[end - 1].start - words[end - 2].end <= SILENCE
        && measure.lines(first, end, rules.width) <= rules.lines
}

/// What is wrong with a caption of the words `first..end`. The weights are relative to that of one more caption.
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
        end if pause(end) >= PAUSE => 0.4,
        end if clause(end) => 0.6,
        _ => 1.6,
    };
    let inside: f64 = (first + 1..end)
        .map(|index| if sentence(index) { 1.2 } else { 0.0 } + if pause(index) >= PAUSE { pause(index) } else { 0.0 })
        .sum();
    let lonely = if end - first == 1 && ending > 0.0 {
        0.8
    } else {
        0.0
    };
    1.0 + too_fast + too_short + ending + inside + lonely
}

#[cfg(test)]
mod tests;
