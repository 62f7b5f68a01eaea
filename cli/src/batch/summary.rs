//! What became of a batch: counts for people, a table for spreadsheets, an exit code.

use super::work::Outcome;
use crate::{exit, output};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

/// Failures that are named; the rest is in the CSV file.
const NAMED: usize = 20;

/// A video as JSON, for programs.
pub fn document(outcome: &Outcome) -> Value {
    json!({
        "path": outcome.name,
        "job": outcome.job,
        "status": outcome.status,
        "error": outcome.code,
        "seconds": outcome.seconds,
    })
}

/// A video as a line, for people.
pub fn line(outcome: &Outcome) -> String {
    let code = outcome.code.as_ref();
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    format!("{}: {}{code}", outcome.name, output::status(&outcome.status))
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

/// Writes `path, job, status, error, seconds` of each video. The file is there whole, or not at all.
pub fn csv(outcomes: &[Outcome], path: &Path) -> Result<()> {
    let write = || -> Result<()> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
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

/// 0 when all succeeded, 4 when none did, 3 otherwise.
pub fn exit_code(outcomes: &[Outcome]) -> ExitCode {
    let good = outcomes
        .iter()
        .filter(|outcome| outcome.status == "succeeded")
        .count();
    match good {
        _ if good == outcomes.len() => ExitCode::SUCCESS,
        0 => ExitCode::from(exit::FAILED),
        _ => ExitCode::from(exit::PARTIAL),
    }
}
