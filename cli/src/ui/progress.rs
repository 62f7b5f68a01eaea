//! Progress on standard error: bars on a terminal, lines elsewhere.

use crate::{
    client::{Job, Stage},
    output::{age, plain},
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::BTreeMap,
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

const STEPS: u64 = 1000;
const TICK: Duration = Duration::from_millis(200);

/// A bar of bytes that are sent or fetched, with that word before it; hidden where there is no terminal.
pub fn bytes_bar(name: &'static str, size: u64) -> ProgressBar {
    let template =
        "{prefix:<9} {bar:20} {percent:>3} %  {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
    ProgressBar::new(size)
        .with_style(style(template))
        .with_prefix(name)
}

/// A bar of files; hidden where there is no terminal.
pub fn batch_bar(files: u64) -> ProgressBar {
    let bar = ProgressBar::new(files).with_style(style("{bar:30} {pos} of {len}, {eta} left"));
    bar.enable_steady_tick(TICK);
    bar
}

/// A line for people above a bar, or alone where there is no terminal.
pub fn note(bar: &ProgressBar, line: &str) {
    bar.suspend(|| eprintln!("{line}"));
}

/// Shows a job as it changes.
pub struct Display {
    /// Whether it has to be told which job it is.
    name: bool,
    bars: Option<MultiProgress>,
    stages: BTreeMap<String, Shown>,
}

/// What is on the screen of one stage.
struct Shown {
    bar: ProgressBar,
    line: String,
    /// When it was first seen running, and how far it was.
    began: Option<(Instant, f64)>,
}

impl Display {
    /// Of one of several jobs, or of the only one.
    pub fn new(several: bool) -> Display {
        Display {
            name: several,
            bars: stderr().is_terminal().then(MultiProgress::new),
            stages: BTreeMap::new(),
        }
    }

    /// Brings the screen up to date.
    pub fn show(&mut self, job: &Job) {
        if std::mem::take(&mut self.name) {
            eprintln!("{} (job {})", plain(job.title()), job.id);
        }
        for (name, stage) in &job.stages {
            let shown = self.stages.entry(name.clone()).or_insert_with(|| Shown {
                bar: self
                    .bars
                    .as_ref()
                    .map_or_else(ProgressBar::hidden, |bars| shown_by(bars, name)),
                line: String::new(),
                began: None,
            });
            shown.update(name, stage, self.bars.is_some());
        }
    }
}

/// Takes the bars off the screen.
impl Drop for Display {
    fn drop(&mut self) {
        for shown in self.stages.values() {
            shown.bar.finish_and_clear();
        }
    }
}

impl Shown {
    fn update(&mut self, name: &str, stage: &Stage, on_terminal: bool) {
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
        // One line per tenth, or the log of a long job would be nothing else.
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

    /// The time that a running stage still needs, if it goes on as it has.
    fn left(&mut self, stage: &Stage, share: f64) -> String {
        if stage.status != "running" {
            return String::new();
        }
        let (at, from) = *self.began.get_or_insert_with(|| (Instant::now(), share));
        match seconds_left(at.elapsed(), from, share) {
            Some(seconds) => format!(", {} left", age(seconds)),
            None => String::new(),
        }
    }
}

/// At the speed between two shares of the work; unknown when there was none.
fn seconds_left(elapsed: Duration, from: f64, to: f64) -> Option<i64> {
    let speed = (to - from) / elapsed.as_secs_f64();
    (speed.is_finite() && speed > 0.0).then(|| ((1.0 - to) / speed).ceil() as i64)
}

/// It ticks only when it has its place: before, it would draw itself anywhere.
fn shown_by(bars: &MultiProgress, name: &str) -> ProgressBar {
    let bar = bars.add(bar(name));
    bar.enable_steady_tick(TICK);
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

/// What a stage does, in a few words.
fn message(stage: &Stage) -> String {
    let reason = stage
        .error
        .as_ref()
        .filter(|error| error.code != stage.status)
        .map(|error| format!(": {}", error.code))
        .unwrap_or_default();
    if stage.status != "running" {
        return format!("{}{reason}", stage.status);
    }
    let phase = stage.phase.as_deref().unwrap_or("running");
    match stage.speed {
        Some(speed) => format!("{phase}, {speed:.1} × real time"),
        None => phase.to_owned(),
    }
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
