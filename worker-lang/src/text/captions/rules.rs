//! What a good caption is.

use super::{Cue, lines::width};

/// The rules of one language. Widths are counted in columns: a Chinese character takes two, a Latin letter one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Lines of a caption.
    pub lines: usize,
    /// Columns of a line.
    pub width: usize,
    /// Columns a viewer reads in a second.
    pub speed: f64,
    /// Seconds that a caption stands at least.
    pub shortest: f64,
    /// Seconds that a caption stands at most.
    pub longest: f64,
    /// Seconds between two captions at least: two frames at 24 frames a second, rounded up to a millisecond.
    pub gap: f64,
}

impl Rules {
    /// The rules for text in the language with this code.
    ///
    /// 42 characters a line and 17 a second hold for most alphabets, 20 a second for English. Netflix gives
    /// Simplified and Traditional Chinese 16 a line and 9 a second (11 for the hearing impaired), Japanese 16 and 7,
    /// Korean 16 and 12 (14), Thai 35 and 17.
    pub fn of(language: &str) -> Rules {
        let (width, speed) = match language {
            "zh" | "yue" => (32, 22.0),
            "ja" => (32, 14.0),
            "ko" => (32, 28.0),
            "th" | "lo" | "my" | "km" => (35, 17.0),
            "en" => (42, 20.0),
            _ => (42, 17.0),
        };
        Rules {
            lines: 2,
            width,
            speed,
            shortest: 1.0,
            longest: 7.0,
            gap: 0.084,
        }
    }

    /// The cue keeps every rule; `next` is the one after it.
    pub fn keeps(&self, cue: &Cue, next: Option<&Cue>) -> bool {
        let shown = (cue.end - cue.start) as f64 / 1000.0;
        let columns: usize = cue.lines.iter().map(|line| width(line)).sum();
        // The space at which a line was broken is read too, in time if not in ink.
        let read = (columns + cue.lines.len().saturating_sub(1)) as f64 / self.speed;
        let apart = next.is_none_or(|next| next.start as f64 - cue.end as f64 >= self.gap * 1000.0 - 1.0);
        cue.lines.len() <= self.lines
            && cue.lines.iter().all(|line| width(line) <= self.width)
            && (self.shortest..=self.longest).contains(&shown)
            && read <= shown + 0.002
            && apart
    }
}
