use super::{
    item::Item,
    items,
    process::Outcome,
    send::Batch,
    state::{Known, State},
    summary,
};
use crate::{
    commands::options::Options,
    server::Server,
    ui::{exit, interrupt::Interrupts, output, progress},
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Name of the state file beside the videos.
const STATE_FILE: &str = ".vidp-batch.jsonl";

/// Arguments of `vidp batch`.
#[derive(Args)]
pub struct BatchCommand {
    /// A folder, with all videos in it and its subfolders; or a manifest with one line of JSON per video:
    /// {"path": …}, {"url": …} or {"bucket": …, "key": …}, each optionally with "options"
    #[arg(value_name = "DIR|MANIFEST")]
    from: PathBuf,
    /// Download the outputs to DIR/PATH/STAGE/, where PATH is the path of the video
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Number of videos in progress at the same time, from upload to end
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Write a table with path, job, status, error code and seconds of each video
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Retry the videos that failed in an earlier run
    #[arg(long)]
    retry_failed: bool,
    /// State file, which records finished steps; default: .vidp-batch.jsonl beside the videos
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Print one JSON document per video
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    server: Server,
}

/// Runs `vidp batch`.
pub async fn run(command: BatchCommand) -> Result<ExitCode> {
    let client = command.server.client()?;
    let mut interrupts = Interrupts::new()?;
    let path = command
        .state
        .clone()
        .unwrap_or_else(|| default_state(&command.from));
    ensure!(command.from.exists(), "{} does not exist", command.from.display());
    if let Some(out) = &command.out {
        std::fs::create_dir_all(out).with_context(|| format!("create {}", out.display()))?;
    }
    if let Some(file) = &command.csv {
        summary::prepare(file)?;
    }
    // Checked before the state file names the server.
    client.check_reachable().await?;
    let (state, known) = State::open(&path, client.server())?;
    let mut options = command.options.document();
    if options["lane"].is_null() {
        // Single uploads overtake a batch.
        options["lane"] = "batch".into();
    }
    let items = items::find(&command.from, command.out.as_deref(), &known.batch, &options)?;
    ensure!(!items.is_empty(), "no videos in {}", command.from.display());
    let batch = Batch {
        client,
        state,
        out: command.out.clone(),
        retry_failed: command.retry_failed,
    };
    let done = tokio::select! {
        done = process(&command, &batch, &items, &known) => Some(done),
        () = interrupts.next() => None,
    };
    let outcomes = match done {
        Some(Ok(outcomes)) => outcomes,
        Some(Err(error)) => {
            return Err(error).context("the batch stopped; run the same command again to resume");
        }
        None => {
            eprintln!(
                "\nStopped. Jobs that were sent continue; run the same command again to resume the batch."
            );
            return Ok(ExitCode::from(exit::INTERRUPTED));
        }
    };
    if let Some(file) = &command.csv {
        summary::csv(&outcomes, file)?;
    }
    if !command.json {
        summary::print(&outcomes);
    }
    Ok(summary::exit_code(&outcomes))
}

/// Processes all items, `--concurrency` at a time, and returns the outcomes in the order of the items.
async fn process(
    command: &BatchCommand,
    batch: &Batch,
    items: &[Item],
    known: &Known,
) -> Result<Vec<Outcome>> {
    let bar = progress::batch_bar(items.len() as u64);
    let work = stream::iter(items.iter().enumerate()).map(async |(i, item)| {
        let outcome = batch.process(item, known.steps.get(&item.key)).await?;
        bar.inc(1);
        if command.json {
            bar.suspend(|| output::json(&summary::document(&outcome)));
        } else if !outcome.from_earlier_run && (bar.is_hidden() || outcome.status != "succeeded") {
            let line = format!("[{}/{}] {}", bar.position(), items.len(), summary::line(&outcome));
            progress::note(&bar, &line);
        }
        anyhow::Ok((i, outcome))
    });
    let done = work
        .buffer_unordered(command.concurrency.into())
        .try_collect::<Vec<_>>()
        .await;
    bar.finish_and_clear();
    let mut outcomes = done?;
    outcomes.sort_by_key(|(i, _)| *i);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// The default state file: in the folder of videos, or beside the manifest with its name as prefix.
fn default_state(from: &Path) -> PathBuf {
    if from.is_dir() {
        return from.join(STATE_FILE);
    }
    let mut name = from.as_os_str().to_owned();
    name.push(STATE_FILE);
    PathBuf::from(name)
}
