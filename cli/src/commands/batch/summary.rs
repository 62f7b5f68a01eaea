//! What became of a batch: counts for people, a table for spreadsheets, an exit code.

use super::work::Outcome;
use crate::{exit, fetch::part_name, output};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::ExitCode,
};

/// Failures that are named; the rest is in the CSV file.
const NAMED: usize = 20;

/// A video as JSON, for programs.
pub fn document(outcome: &Outcome) -> Value {
    json!({
        "path": outcome.name,
        "job": outcome.job,
        "status": outcome.status,
        "error": outcome.code,
        "detail": outcome.detail,
        "seconds": outcome.seconds.map(|seconds| (seconds * 1000.0).round() / 1000.0),
    })
}

/// A video as a line, for people.
pub fn line(outcome: &Outcome) -> String {
    let why = match (&outcome.code, &outcome.detail) {
        (Some(code), Some(detail)) => format!(" ({code}): {detail}"),
        (Some(code), None) => format!(" ({code})"),
        (None, _) => String::new(),
    };
    let (name, why) = (output::plain(&outcome.name), output::plain(&why));
    format!("{name}: {}{why}", output::status(&outcome.status))
}

/// Prints how many ended how, and some of those that did not succeed.
pub fn print(outcomes: &[Outcome]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(&outcome.status).or_default() += 1;
    }
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.status != "succeeded")
        .collect();
    for outcome in failed.iter().take(NAMED) {
        output::print(line(outcome));
    }
    if failed.len() > NAMED {
        output::print(format!(
            "… and {} more; --csv FILE lists all",
            failed.len() - NAMED
        ));
    }
    let before = outcomes.iter().filter(|outcome| outcome.before).count();
    for (status, count) in counts {
        // Padded before it is coloured.
        output::print(format!("{}  {count:>6}", output::status_of_width(status, 11)));
    }
    output::print(format!("{:<11}  {:>6}", "files", outcomes.len()));
    if before > 0 {
        output::print(format!("{:<11}  {before:>6}", "done before"));
    }
}

/// Whether the table can be written where it is wanted, before all the work that ends in it.
pub fn prepare(path: &Path) -> Result<()> {
    let part = part_name(path);
    let made = File::create(&part).and_then(|_| fs::remove_file(&part));
    made.with_context(|| format!("write {}", path.display()))
}

/// Writes `path, job, status, error, seconds` of each video. The file is there whole, or not at all.
pub fn csv(outcomes: &[Outcome], path: &Path) -> Result<()> {
    let write = || -> Result<()> {
        let part = part_name(path);
        let mut table = csv::Writer::from_path(&part)?;
        table.write_record(["path", "job", "status", "error", "seconds"])?;
        for outcome in outcomes {
            let seconds = outcome
                .seconds
                .map(|seconds| format!("{seconds:.3}"))
                .unwrap_or_default();
            table.write_record([
                outcome.name.as_str(),
                outcome.job.as_deref().unwrap_or_default(),
                &outcome.status,
                outcome.code.as_deref().unwrap_or_default(),
                &seconds,
            ])?;
        }
        table.flush()?;
        Ok(fs::rename(&part, path)?)
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// As of jobs that end so; what became none has failed.
pub fn exit_code(outcomes: &[Outcome]) -> ExitCode {
    ExitCode::from(exit::code(outcomes.iter().map(|outcome| outcome.status.as_str())))
}
