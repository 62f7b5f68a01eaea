//! `vidp submit`: upload videos.

use crate::{
    client::{Client, Failure, Job, Patience},
    config::Server,
    exit,
    interrupt::Interrupts,
    options::Options,
    output, progress,
    resume::Resume,
    watch::{self, Show},
};
use anyhow::{Context, Result, ensure};
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
    /// An id of your own, which `vidp jobs` finds the jobs by
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    #[command(flatten)]
    show: Show,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    server: Server,
}

/// Runs `vidp submit`.
pub async fn run(command: SubmitCommand) -> Result<ExitCode> {
    // Before anything is sent: what is seen here would be half of the work later.
    for file in &command.files {
        look_at(file)?;
    }
    command.show.prepare()?;
    let client = command.server.client()?;
    let mut interrupts = Interrupts::new()?;
    client.reach().await?;
    let mut options = command.options.document();
    if let Some(id) = &command.external_id {
        options["external_id"] = id.as_str().into();
    }
    let (mut ids, mut refused) = (Vec::new(), false);
    for file in &command.files {
        let sent = tokio::select! {
            job = upload(&client, file, &options) => job.with_context(|| file.display().to_string()),
            () = interrupts.next() => {
                let file = output::plain(&file.to_string_lossy());
                eprintln!("\nThe upload of {file} is stopped, and made no job. The same command goes on with it.");
                let under_way = command.server.command(&format!("watch {}", ids.join(" ")));
                if !ids.is_empty() {
                    eprintln!("Those before go on: `{under_way}`");
                }
                return Ok(ExitCode::from(exit::INTERRUPTED));
            }
        };
        let job = match sent {
            Ok(job) => job,
            Err(error) => {
                exit::complain(&error);
                refused = true;
                match Failure::is_no_answer(&error) {
                    true => break,
                    // One that is refused keeps no other from its turn.
                    false => continue,
                }
            }
        };
        // --out has no meaning before there are outputs.
        if !command.wait && command.show.out.is_none() {
            accepted(&command, &job);
        }
        ids.push(job.id);
    }
    let mut code = ExitCode::SUCCESS;
    if command.wait || command.show.out.is_some() {
        code = watch::follow(&client, &command.server, &ids, &command.show, interrupts).await?;
    }
    Ok(if refused { ExitCode::FAILURE } else { code })
}

/// Whether a file can be sent at all.
pub fn look_at(file: &Path) -> Result<()> {
    let shown = file.display();
    let meta = std::fs::metadata(file).with_context(|| format!("open {shown}"))?;
    ensure!(meta.is_file(), "{shown} is not a file");
    ensure!(meta.len() > 0, "{shown} is empty");
    Ok(())
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
