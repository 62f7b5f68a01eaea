//! `vidp watch` and `vidp get`: follow jobs to their end, show them, download their outputs.

use super::play::Page;
use crate::{
    client::{Client, Failure, Job, job_path},
    files::download::download_outputs,
    server::Server,
    ui::{
        exit,
        interrupt::{CANCEL_WINDOW, Interrupts},
        output,
        progress::Display,
        report,
    },
};
use anyhow::{Context, Result};
use clap::Args;
use reqwest::StatusCode;
use std::{path::PathBuf, process::ExitCode};

/// Arguments that say how to show a job.
#[derive(Args, Clone, Default)]
pub struct Show {
    /// Print only the job document on standard output
    #[arg(long)]
    pub json: bool,
    /// Download the outputs to this folder; several jobs get a subfolder each
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Shows the job's page as soon as the film can be played; only `vidp submit` has this argument.
    #[arg(skip)]
    pub play: bool,
}

impl Show {
    /// Creates the folder first, so that no job runs before an error is found.
    pub fn prepare(&self) -> Result<()> {
        match &self.out {
            Some(dir) => std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display())),
            None => Ok(()),
        }
    }
}

/// Arguments of `vidp watch`.
#[derive(Args)]
pub struct WatchCommand {
    /// Ids of the jobs
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    server: Server,
}

/// Arguments of `vidp get`.
#[derive(Args)]
pub struct GetCommand {
    /// Id of the job
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
    show_result(&client, &job, &command.show, false).await?;
    if command.show.out.is_some() && !job.has_ended() {
        eprintln!("the job is still {}: more outputs may follow", job.status);
    }
    Ok(ExitCode::SUCCESS)
}

/// Follows jobs to their end. One Ctrl-C detaches from them, a second one cancels them.
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
    let subject = if ids.len() == 1 {
        "job continues"
    } else {
        "jobs continue"
    };
    let again = server.command(&format!("watch {}", ids.join(" ")));
    eprintln!("\nDetached: the {subject}. Follow again with `{again}`.");
    eprintln!(
        "Press Ctrl-C again within {} s to cancel.",
        CANCEL_WINDOW.as_secs()
    );
    if !interrupts.repeated().await {
        return Ok(ExitCode::from(exit::INTERRUPTED));
    }
    eprintln!("\ncancelling");
    for id in ids {
        match client.act(&format!("{}/cancel", job_path(id)?)).await {
            // The job has ended already.
            Err(error) if Failure::status(&error) == Some(StatusCode::CONFLICT) => {}
            done => drop(done?),
        }
    }
    // A cancelled job is not played.
    let show = Show {
        play: false,
        ..show.clone()
    };
    Ok(code_of(&finish_all(client, ids, &show).await?))
}

/// Follows each job; also returns true when one could not be followed. Its error is printed, and the others are still
/// followed.
async fn finish_all(client: &Client, ids: &[String], show: &Show) -> Result<(Vec<Job>, bool)> {
    let (mut jobs, mut failed) = (Vec::new(), false);
    for id in ids {
        match finish(client, id, show, ids.len() > 1).await {
            Ok(job) => jobs.push(job),
            Err(error) if ids.len() == 1 || Failure::is_no_answer(&error) => return Err(error),
            Err(error) => {
                exit::print_error(&error);
                failed = true;
            }
        }
    }
    Ok((jobs, failed))
}

fn code_of((jobs, failed): &(Vec<Job>, bool)) -> ExitCode {
    match failed {
        true => ExitCode::FAILURE,
        false => exit::code_of_jobs(jobs),
    }
}

/// Follows a job to its end, downloads its outputs and opens its page if `show` says so, and shows it. With `several` jobs,
/// each is named and has its own folder.
pub async fn finish(client: &Client, id: &str, show: &Show, several: bool) -> Result<Job> {
    let mut display = Display::new(several);
    let mut page = show.play.then(|| Page::new(client, id)).transpose()?;
    let seen = |job: &Job| {
        display.show(job);
        if let Some(page) = &mut page {
            page.update(job, &display);
        }
    };
    let job = client.follow(id, seen).await;
    drop(display);
    let job = job.with_context(|| format!("job {id}"))?;
    show_result(client, &job, show, several).await?;
    Ok(job)
}

async fn show_result(client: &Client, job: &Job, show: &Show, several: bool) -> Result<()> {
    let dir = show.out.as_ref().map(|dir| match several {
        true => dir.join(&job.id),
        false => dir.clone(),
    });
    let downloaded = match &dir {
        Some(dir) => download_outputs(client, job, dir).await,
        None => Ok(0),
    };
    if show.json {
        output::json(&job.document);
    } else {
        let any = matches!(downloaded, Ok(1..));
        report::print(client, job, dir.as_deref().filter(|_| any)).await;
    }
    downloaded.map(drop)
}
