//! `vidp batch`: thousands of videos, each done once, however often the command is stopped and started again.

mod items;
mod send;
mod state;
mod summary;
mod work;

use crate::{config::Server, exit, interrupt::Interrupts, options::Options, output, progress};
use anyhow::{Context, Result, ensure};
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use items::Item;
use state::{Known, State};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use work::{Batch, Outcome};

/// Beside the videos.
const STATE: &str = ".vidp-batch.jsonl";

#[derive(Args)]
pub struct BatchCommand {
    /// A folder, whose videos are taken with those of folders in it; or a file with a line of JSON for each video:
    /// {"path": …}, {"url": …} or {"bucket": …, "key": …}, and "options" of its own if need be
    #[arg(value_name = "DIR|MANIFEST")]
    from: PathBuf,
    /// Download the outputs to this folder, for each video to DIR/PATH/STAGE/
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Videos under way at the same time, from the upload to the end
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Write a table of path, job, status, error code and seconds
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Run those again that failed before
    #[arg(long)]
    retry_failed: bool,
    /// Where to keep what is done; .vidp-batch.jsonl beside the videos when it is not given
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// One JSON document for each video
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
    let path = command.state.clone().unwrap_or_else(|| beside(&command.from));
    ensure!(command.from.exists(), "there is no {}", command.from.display());
    if let Some(out) = &command.out {
        std::fs::create_dir_all(out).with_context(|| format!("create {}", out.display()))?;
    }
    if let Some(file) = &command.csv {
        summary::prepare(file)?;
    }
    // Before the state names it: nothing is sent to a server that is not there.
    client.reach().await?;
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
        Some(Err(error)) => return Err(error).context("the batch stopped; the same command again goes on"),
        None => {
            eprintln!("\nStopped. What was sent goes on; the same command again goes on with the rest.");
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

/// Processes all of them, some at a time, in their order.
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
        } else if !outcome.before && (bar.is_hidden() || outcome.status != "succeeded") {
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

/// In the folder of videos, or beside the manifest under its name.
fn beside(from: &Path) -> PathBuf {
    if from.is_dir() {
        return from.join(STATE);
    }
    let mut name = from.as_os_str().to_owned();
    name.push(STATE);
    PathBuf::from(name)
}
