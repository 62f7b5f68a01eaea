//! `vidp submit`: upload videos.

use crate::{
    client::{Client, Job, Patience},
    config::Server,
    exit,
    interrupt::Interrupts,
    options::Options,
    output, progress,
    resume::Resume,
    watch::{self, Show},
};
use anyhow::{Context, Result};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Args)]
pub struct SubmitCommand {
    /// The videos
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Wait until the jobs are over; --out does so too
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    server: Server,
}

/// Runs `vidp submit`.
pub async fn run(command: SubmitCommand) -> Result<ExitCode> {
    let client = command.server.client()?;
    let mut interrupts = Interrupts::new()?;
    client.reach().await?;
    let options = command.options.document();
    let mut ids = Vec::new();
    for file in &command.files {
        let job = tokio::select! {
            job = upload(&client, file, &options) => job?,
            () = interrupts.next() => {
                let file = file.display();
                eprintln!("\nThe upload of {file} is stopped, and made no job. The same command goes on with it.");
                let under_way = command.server.command(&format!("watch {}", ids.join(" ")));
                if !ids.is_empty() {
                    eprintln!("Those before go on: `{under_way}`");
                }
                return Ok(ExitCode::from(exit::INTERRUPTED));
            }
        };
        // --out has no meaning before there are outputs.
        if !command.wait && command.show.out.is_none() {
            accepted(&command, &job);
        }
        ids.push(job.id);
    }
    if command.wait || command.show.out.is_some() {
        return watch::follow(&client, &command.server, &ids, &command.show, interrupts).await;
    }
    Ok(ExitCode::SUCCESS)
}

fn accepted(command: &SubmitCommand, job: &Job) {
    if command.show.json {
        output::json(&job.document);
    } else if output::is_terminal() {
        let again = command.server.command(&format!("watch {}", job.id));
        output::print(format!("job {}\nfollow it with `{again}`", job.id));
    } else {
        output::print(&job.id);
    }
}

/// Uploads a file. An upload that breaks goes on where it was, and so does one that was stopped, by the same command.
pub async fn upload(client: &Client, file: &Path, options: &Value) -> Result<Job> {
    let meta = std::fs::metadata(file).with_context(|| format!("open {}", file.display()))?;
    let bar = progress::bytes_bar("upload", meta.len());
    let mut resume = Resume::of(client.server(), file, &meta, &options.to_string());
    let mut patience = Patience::new();
    let job = loop {
        match send(client, file, options, &mut resume, &bar).await {
            Ok(job) => break Ok(job),
            Err(error) => {
                let why = format!("{error:#}");
                if let Err(error) = patience.pause(error).await {
                    break Err(error);
                }
                progress::note(&bar, &format!("upload broke, and goes on: {why}"));
            }
        }
    };
    bar.finish_and_clear();
    job
}

/// Begins the upload unless it has begun, and sends the rest.
async fn send(
    client: &Client,
    file: &Path,
    options: &Value,
    resume: &mut Resume,
    bar: &ProgressBar,
) -> Result<Job> {
    loop {
        let path = match resume.path() {
            Some(path) => path.to_owned(),
            None => {
                let path = client.begin_upload(file, options).await?;
                resume.note(Some(&path));
                path
            }
        };
        if let Some(job) = client.send_rest(file, &path, bar).await? {
            resume.done();
            return Ok(job);
        }
        resume.note(None);
    }
}
