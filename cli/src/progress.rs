//! Progress on standard error: bars on a terminal, lines elsewhere.

use crate::client::{Job, Stage};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::BTreeMap,
    io::{IsTerminal, stderr},
    time::Duration,
};

const STEPS: u64 = 1000;
const TICK: Duration = Duration::from_millis(200);

/// A bar of bytes; hidden where there is no terminal.
pub fn upload_bar(size: u64) -> ProgressBar {
    let template = "upload    {bar:30} {percent:>3} %  {bytes} of {total_bytes}, {bytes_per_sec}";
    ProgressBar::new(size).with_style(style(template))
}

/// Shows a job as it changes.
pub struct Display {
    bars: Option<MultiProgress>,
    stages: BTreeMap<String, Shown>,
}

/// What is on the screen of one stage.
struct Shown {
    bar: ProgressBar,
    line: String,
}

impl Display {
    pub fn new() -> Display {
        Display {
            bars: stderr().is_terminal().then(MultiProgress::new),
            stages: BTreeMap::new(),
        }
    }

    /// Brings the screen up to date.
    pub fn show(&mut self, job: &Job) {
        for (name, stage) in &job.stages {
            let shown = self.stages.entry(name.clone()).or_insert_with(|| Shown {
                bar: self
                    .bars
                    .as_ref()
                    .map_or_else(ProgressBar::hidden, |bars| bars.add(bar(name))),
                line: String::new(),
            });
            shown.update(name, stage, self.bars.is_some());
        }
    }

    /// Takes the bars off the screen.
    pub fn clear(&self) {
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
            self.bar.set_message(message(stage));
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
}

fn bar(name: &str) -> ProgressBar {
    let style = style("{prefix:<9} {bar:30} {percent:>3} %  {msg}");
    let bar = ProgressBar::new(STEPS)
        .with_style(style)
        .with_prefix(name.to_owned());
    bar.enable_steady_tick(TICK);
    bar
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
