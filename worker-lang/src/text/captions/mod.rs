//! Makes captions of words, by the rules of broadcasters. Pure.
//!
//! Sources: the BBC's *Subtitle Guidelines* and Netflix's *Timed Text Style Guide* (the general requirements, and the
//! requirements of each language for hearing-impaired viewers).

mod lines;
mod openers;
mod partition;
mod rules;

#[cfg(test)]
mod tests;

pub(crate) use rules::Rules;

use super::transcript::Word;
use lines::{Measure, lay_out, width};
use partition::partition;

/// Seconds without a caption at least. A shorter blank flickers, so the caption before it lasts until the next one.
const MIN_BLANK: f64 = 0.5;

/// A caption.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cue {
    /// Start in milliseconds.
    pub(crate) start: u64,
    /// End in milliseconds.
    pub(crate) end: u64,
    /// One or two lines.
    pub(crate) lines: Vec<String>,
}

/// Makes the captions for the words of a track of `duration` seconds.
pub(crate) fn cues(words: &[Word], duration: f64, rules: &Rules) -> Vec<Cue> {
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
        let preferred = if next - spoken < MIN_BLANK {
            next
        } else {
            spoken.max(read)
        };
        let until = preferred.min(next).min(start + rules.longest);
        cues.push(Cue {
            start: millis(start),
            end: millis(until).max(millis(start) + 1),
            lines: lay_out(&words[first..end], rules),
        });
        first = end;
    }
    cues
}

/// The share of cues that keep every rule, 0 to 1; 1 without cues.
pub(crate) fn rules_kept(cues: &[Cue], rules: &Rules) -> f64 {
    let keeping = (0..cues.len()).filter(|&index| keeps_rules(&cues[index], cues.get(index + 1), rules));
    if cues.is_empty() {
        1.0
    } else {
        keeping.count() as f64 / cues.len() as f64
    }
}

/// True when a cue keeps every rule; `next` is the cue after it.
fn keeps_rules(cue: &Cue, next: Option<&Cue>, rules: &Rules) -> bool {
    let shown = (cue.end - cue.start) as f64 / 1000.0;
    let columns: usize = cue.lines.iter().map(|line| width(line)).sum();
    // Reading time includes the space that a line break replaces.
    let read = (columns + cue.lines.len().saturating_sub(1)) as f64 / rules.speed;
    let apart = next.is_none_or(|next| next.start as f64 - cue.end as f64 >= rules.gap * 1000.0 - 1.0);
    cue.lines.len() <= rules.lines
        && cue.lines.iter().all(|line| width(line) <= rules.width)
        && (rules.shortest..=rules.longest).contains(&shown)
        && read <= shown + 0.002
        && apart
}

fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round().max(0.0) as u64
}
