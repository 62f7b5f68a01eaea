use super::process::Outcome;
use crate::{
    files::part::part_name,
    ui::{exit, output},
};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::ExitCode,
};

/// Number of failures that are printed; the CSV file has all.
const MAX_PRINTED: usize = 20;

/// The outcome of a video as JSON, for programs.
pub(super) fn document(outcome: &Outcome) -> Value {
    json!({
        "path": outcome.name,
        "job": outcome.job,
        "status": outcome.status,
        "error": outcome.code,
        "detail": outcome.detail,
        "seconds": outcome.seconds.map(|seconds| (seconds * 1000.0).round() / 1000.0),
    })
}

/// The outcome of a video as a line, for people.
pub(super) fn line(outcome: &Outcome) -> String {
    let why = match (&outcome.code, &outcome.detail) {
        (Some(code), Some(detail)) => format!(" ({code}): {detail}"),
        (Some(code), None) => format!(" ({code})"),
        (None, _) => String::new(),
    };
    let (name, why) = (output::printable(&outcome.name), output::printable(&why));
    format!("{name}: {}{why}", output::status(&outcome.status))
}

/// Prints the first failures and the number of videos by status.
pub(super) fn print(outcomes: &[Outcome]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(&outcome.status).or_default() += 1;
    }
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.status != "succeeded")
        .collect();
    for outcome in failed.iter().take(MAX_PRINTED) {
        output::print(line(outcome));
    }
    if failed.len() > MAX_PRINTED {
        output::print(format!(
            "… and {} more; --csv FILE lists all",
            failed.len() - MAX_PRINTED
        ));
    }
    let earlier = outcomes.iter().filter(|outcome| outcome.from_earlier_run).count();
    for (status, count) in counts {
        // Padded before the colour is added, which has no width.
        output::print(format!("{}  {count:>6}", output::padded_status(status, 11)));
    }
    output::print(format!("{:<11}  {:>6}", "files", outcomes.len()));
    if earlier > 0 {
        output::print(format!("{:<11}  {earlier:>6}", "done before"));
    }
}

/// Checks that the table can be written, before the work starts.
pub(super) fn prepare(path: &Path) -> Result<()> {
    let part = part_name(path);
    let made = File::create(&part).and_then(|_| fs::remove_file(&part));
    made.with_context(|| format!("write {}", path.display()))
}

/// Writes the table `path, job, status, error, seconds`. The file is complete, or absent.
pub(super) fn csv(outcomes: &[Outcome], path: &Path) -> Result<()> {
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

/// The exit code of the batch; a video without a job counts as failed.
pub(super) fn exit_code(outcomes: &[Outcome]) -> ExitCode {
    ExitCode::from(exit::code_of_statuses(
        outcomes.iter().map(|outcome| outcome.status.as_str()),
    ))
}
