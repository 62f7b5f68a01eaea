//! `vidp watch` and `vidp get`: jobs to their end, and what came out.

use crate::{
    client::{Client, Failure, Job, job_path},
    config::Server,
    exit, fetch,
    interrupt::{AGAIN, Interrupts},
    output,
    progress::Display,
    report,
};
use anyhow::{Context, Result};
use clap::Args;
use reqwest::StatusCode;
use std::{path::PathBuf, process::ExitCode};

/// How to show a job.
#[derive(Args, Default)]
pub struct Show {
    /// Print the job document on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
    /// Download the outputs to this folder; of several jobs, to a folder each in it
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

impl Show {
    /// Makes the folder, before all the work that ends in it.
    pub fn prepare(&self) -> Result<()> {
        match &self.out {
            Some(dir) => std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display())),
            None => Ok(()),
        }
    }
}

#[derive(Args)]
pub struct WatchCommand {
    /// The jobs' ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
pub struct GetCommand {
    /// The job's id
    id: String,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    server: Server,
}

/// Runs `vidp watch`.
pub async fn watch(command: WatchCommand) -> Result<ExitCode> {
    command.show.prepare()?;
    let client = command.server.client()?;
    let interrupts = Interrupts::new()?;
    follow(&client, &command.server, &command.ids, &command.show, interrupts).await
}

/// Runs `vidp get`.
pub async fn get(command: GetCommand) -> Result<ExitCode> {
    let client = command.server.client()?;
    command.show.prepare()?;
    let job = client.job(&command.id).await;
    let job = job.with_context(|| format!("job {}", command.id))?;
    end(&client, &job, &command.show, false).await?;
    if command.show.out.is_some() && !job.is_over() {
        eprintln!("the job is still {}: more may come", job.status);
    }
    Ok(ExitCode::SUCCESS)
}

/// Follows jobs to their end, unless Ctrl-C comes: once lets go of them, twice cancels them.
pub async fn follow(
    client: &Client,
    server: &Server,
    ids: &[String],
    show: &Show,
    mut interrupts: Interrupts,
) -> Result<ExitCode> {
    let done = tokio::select! {
        done = finish_all(client, ids, show) => Some(done?),
        () = interrupts.next() => None,
    };
    if let Some(done) = done {
        return Ok(code_of(&done));
    }
    let (what, goes) = if ids.len() == 1 {
        ("job", "goes")
    } else {
        ("jobs", "go")
    };
    let back = server.command(&format!("watch {}", ids.join(" ")));
    eprintln!("\nDetached: the {what} {goes} on. Come back with `{back}`.");
    eprintln!("Ctrl-C again within {} s cancels.", AGAIN.as_secs());
    if !interrupts.again().await {
        return Ok(ExitCode::from(exit::INTERRUPTED));
    }
    eprintln!("\ncancelling");
    for id in ids {
        match client.act(&format!("{}/cancel", job_path(id)?)).await {
            // It was over before.
            Err(error) if Failure::status(&error) == Some(StatusCode::CONFLICT) => {}
            done => drop(done?),
        }
    }
    Ok(code_of(&finish_all(client, ids, show).await?))
}

/// Those that could be followed. One that cannot keeps no other from its turn; it is told, and is an error in the end.
async fn finish_all(client: &Client, ids: &[String], show: &Show) -> Result<(Vec<Job>, bool)> {
    let (mut jobs, mut missed) = (Vec::new(), false);
    for id in ids {
        match finish(client, id, show, ids.len() > 1).await {
            Ok(job) => jobs.push(job),
            Err(error) if ids.len() == 1 || Failure::is_no_answer(&error) => return Err(error),
            Err(error) => {
                exit::complain(&error);
                missed = true;
            }
        }
    }
    Ok((jobs, missed))
}

fn code_of((jobs, missed): &(Vec<Job>, bool)) -> ExitCode {
    match missed {
        true => ExitCode::FAILURE,
        false => exit::of_jobs(jobs),
    }
}

/// Follows a job to its end, downloads its outputs if asked to, and shows it. One of `several` is named, and has a folder
/// of its own.
pub async fn finish(client: &Client, id: &str, show: &Show, several: bool) -> Result<Job> {
    let mut display = Display::new(several);
    let job = client.follow(id, |job| display.show(job)).await;
    drop(display);
    let job = job.with_context(|| format!("job {id}"))?;
    end(client, &job, show, several).await?;
    Ok(job)
}

async fn end(client: &Client, job: &Job, show: &Show, several: bool) -> Result<()> {
    let dir = show.out.as_ref().map(|dir| match several {
        true => dir.join(&job.id),
        false => dir.clone(),
    });
    let fetched = match &dir {
        Some(dir) => fetch::all(client, job, dir).await,
        None => Ok(0),
    };
    if show.json {
        output::json(&job.document);
    } else {
        let fetched = matches!(fetched, Ok(1..));
        report::print(client, job, dir.as_deref().filter(|_| fetched)).await;
    }
    fetched.map(drop)
}
