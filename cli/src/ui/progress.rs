//! Progress on standard error: bars on a terminal, lines elsewhere.

use super::output::{age, printable};
use crate::client::{Job, StageState};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::BTreeMap,
    io::{IsTerminal, stderr},
    iter,
    time::{Duration, Instant},
};
use vidp_contract::FailureCode;

/// Resolution of a stage's bar.
const STEPS: u64 = 1000;
const REDRAW_INTERVAL: Duration = Duration::from_millis(200);

/// A bar that counts `size` bytes, with `name` before it; hidden where standard error is not a terminal.
pub fn bytes_bar(name: &'static str, size: u64) -> ProgressBar {
    let template =
        "{prefix:<9} {bar:20} {percent:>3} %  {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
    ProgressBar::new(size)
        .with_style(style(template))
        .with_prefix(name)
}

/// A bar that counts files; hidden where standard error is not a terminal.
pub fn batch_bar(files: u64) -> ProgressBar {
    let bar = ProgressBar::new(files).with_style(style("{bar:30} {pos} of {len}, {eta} left"));
    bar.enable_steady_tick(REDRAW_INTERVAL);
    bar
}

/// Prints a line for people on standard error, above the bar if that is visible.
pub fn note(bar: &ProgressBar, line: &str) {
    bar.suspend(|| eprintln!("{line}"));
}

/// Shows the progress of a job on standard error.
pub struct Display {
    /// The first update prints which job it is.
    print_name: bool,
    bars: Option<MultiProgress>,
    stages: BTreeMap<String, StageDisplay>,
}

/// The display of one stage.
struct StageDisplay {
    bar: ProgressBar,
    line: String,
    /// Time and share done when the stage was first seen running.
    running_since: Option<(Instant, f64)>,
}

impl Display {
    /// Makes an empty display. With `several` jobs, it names the job first.
    pub fn new(several: bool) -> Display {
        Display {
            print_name: several,
            bars: stderr().is_terminal().then(MultiProgress::new),
            stages: BTreeMap::new(),
        }
    }

    /// Prints a line for people on standard error, above the bars if they are visible.
    pub fn note(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Updates the display.
    pub fn show(&mut self, job: &Job) {
        if std::mem::take(&mut self.print_name) {
            eprintln!("{} (job {})", printable(job.title()), job.id);
        }
        for (name, stage) in &job.stages {
            let shown = self.stages.entry(name.clone()).or_insert_with(|| StageDisplay {
                bar: self
                    .bars
                    .as_ref()
                    .map_or_else(ProgressBar::hidden, |bars| add_bar(bars, name)),
                line: String::new(),
                running_since: None,
            });
            shown.update(name, stage, self.bars.is_some());
        }
    }
}

/// Removes the bars from the screen.
impl Drop for Display {
    fn drop(&mut self) {
        for shown in self.stages.values() {
            shown.bar.finish_and_clear();
        }
    }
}

impl StageDisplay {
    fn update(&mut self, name: &str, stage: &StageState, on_terminal: bool) {
        let share = match stage.status.as_str() {
            "succeeded" | "skipped" => 1.0,
            _ => stage.progress.unwrap_or(0.0).clamp(0.0, 1.0),
        };
        if on_terminal {
            self.bar.set_position((share * STEPS as f64) as u64);
            let left = self.left(stage, share);
            self.bar.set_message(message(stage) + &left);
            if !matches!(stage.status.as_str(), "waiting" | "queued" | "running") {
                self.bar.abandon();
            }
            return;
        }
        // One line per tenth keeps the log of a long job short.
        let tenth = (share * 10.0).floor() * 10.0;
        let line = match stage.status.as_str() {
            "running" => format!("{name:<9} running {tenth:>3} %"),
            _ => format!("{name:<9} {}", message(stage)),
        };
        if line != self.line {
            eprintln!("{line}");
            self.line = line;
        }
    }

    /// The time left of a running stage at its speed so far.
    fn left(&mut self, stage: &StageState, share: f64) -> String {
        if stage.status != "running" {
            return String::new();
        }
        let (at, from) = *self.running_since.get_or_insert_with(|| (Instant::now(), share));
        match seconds_left(at.elapsed(), from, share) {
            Some(seconds) => format!(", {} left", age(seconds)),
            None => String::new(),
        }
    }
}

/// Seconds left at the speed between two shares of the work; `None` when the share did not grow.
fn seconds_left(elapsed: Duration, from: f64, to: f64) -> Option<i64> {
    let speed = (to - from) / elapsed.as_secs_f64();
    (speed.is_finite() && speed > 0.0).then(|| ((1.0 - to) / speed).ceil() as i64)
}

/// Adds a bar and only then starts to redraw it: before, it would draw at the wrong place.
fn add_bar(bars: &MultiProgress, name: &str) -> ProgressBar {
    let bar = bars.add(bar(name));
    bar.enable_steady_tick(REDRAW_INTERVAL);
    bar
}

fn bar(name: &str) -> ProgressBar {
    let style = style("{prefix:<9} {bar:20} {percent:>3} %  {wide_msg}");
    ProgressBar::new(STEPS)
        .with_style(style)
        .with_prefix(name.to_owned())
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// The state of a stage in a few words.
fn message(stage: &StageState) -> String {
    let reason = stage
        .error
        .as_ref()
        // The status `cancelled` says it already.
        .filter(|error| error.failure() != Some(FailureCode::Cancelled))
        .map(|error| format!(": {}", error.code))
        .unwrap_or_default();
    if stage.status != "running" {
        return format!("{}{reason}", stage.status);
    }
    let phase = stage.phase.as_deref().unwrap_or("running").to_owned();
    let parts = stage.parts.map(|parts| {
        let workers = if parts.running > 1 {
            format!(" on {} workers", parts.running)
        } else {
            String::new()
        };
        format!("{} of {} parts{workers}", parts.done, parts.total)
    });
    let speed = stage.speed.map(|speed| format!("{speed:.1} × real time"));
    let words: Vec<_> = iter::once(phase).chain(parts).chain(speed).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_time_taken() {
        let check = |seconds, from, to, expected| {
            assert_eq!(seconds_left(Duration::from_secs(seconds), from, to), expected);
        };
        check(10, 0.0, 0.5, Some(10));
        check(10, 0.5, 0.75, Some(10));
        check(10, 0.5, 0.5, None);
        check(0, 0.0, 0.5, None);
    }
}
