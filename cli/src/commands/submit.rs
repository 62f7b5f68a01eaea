//! `vidp submit`: upload videos.

use super::{
    options::Options,
    watch::{self, Show},
};
use crate::{
    client::{Client, Failure, Job, Upload},
    files::upload_position::UploadPosition,
    server::Server,
    ui::{exit, interrupt::Interrupts, output, progress},
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Arguments of `vidp submit`.
#[derive(Args)]
pub struct SubmitCommand {
    /// Videos to upload
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Wait until the jobs have ended; --out and --play imply it
    #[arg(long)]
    wait: bool,
    /// Open the job's page in the browser as soon as the film can be played; implies --stream
    #[arg(long)]
    play: bool,
    /// Your own id for the jobs; `vidp jobs --external-id` finds them by it
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
pub async fn run(mut command: SubmitCommand) -> Result<ExitCode> {
    command.show.play = command.play;
    command.options.stream |= command.play;
    let follows = command.wait || command.play || command.show.out.is_some();
    // Checked before anything is sent, so that no command fails after half of its files.
    for file in &command.files {
        check_file(file)?;
    }
    command.show.prepare()?;
    let client = command.server.client()?;
    let mut interrupts = Interrupts::new()?;
    client.check_reachable().await?;
    let mut options = command.options.document();
    if let Some(id) = &command.external_id {
        options["external_id"] = id.as_str().into();
    }
    let (mut ids, mut failed) = (Vec::new(), false);
    for file in &command.files {
        let sent = tokio::select! {
            job = upload(&client, file, &options) => job.with_context(|| file.display().to_string()),
            () = interrupts.next() => {
                let file = output::printable(&file.to_string_lossy());
                eprintln!("\nStopped the upload of {file}; it has no job yet. Run the same command again to resume it.");
                let follow = command.server.command(&format!("watch {}", ids.join(" ")));
                if !ids.is_empty() {
                    eprintln!("The jobs of the files before it continue. Follow them with `{follow}`.");
                }
                return Ok(ExitCode::from(exit::INTERRUPTED));
            }
        };
        let job = match sent {
            Ok(job) => job,
            Err(error) => {
                exit::print_error(&error);
                failed = true;
                match Failure::is_no_answer(&error) {
                    true => break,
                    // The other files are still sent after a refusal.
                    false => continue,
                }
            }
        };
        // A job that is not followed has only its id to show.
        if !follows {
            print_accepted(&command, &job);
        }
        ids.push(job.id);
    }
    let mut code = ExitCode::SUCCESS;
    if follows {
        code = watch::follow(&client, &command.server, &ids, &command.show, interrupts).await?;
    }
    Ok(if failed { ExitCode::FAILURE } else { code })
}

/// Checks that a file exists and is not empty.
pub fn check_file(file: &Path) -> Result<()> {
    let shown = file.display();
    let meta = std::fs::metadata(file).with_context(|| format!("open {shown}"))?;
    ensure!(meta.is_file(), "{shown} is not a file");
    ensure!(meta.len() > 0, "{shown} is empty");
    Ok(())
}

fn print_accepted(command: &SubmitCommand, job: &Job) {
    if command.show.json {
        output::json(&job.document);
    } else if output::is_terminal() {
        let follow = command.server.command(&format!("watch {}", job.id));
        output::print(format!("job {}\nfollow it with `{follow}`", job.id));
    } else {
        output::print(&job.id);
    }
}

/// Uploads a file. Resumes after interruptions, and where an earlier run of the same command stopped.
pub async fn upload(client: &Client, file: &Path, options: &Value) -> Result<Job> {
    let meta = std::fs::metadata(file).with_context(|| format!("open {}", file.display()))?;
    let bar = progress::bytes_bar("upload", meta.len());
    let mut position = UploadPosition::open(client.server(), file, &meta, &options.to_string());
    let upload = Upload {
        file,
        options,
        session: position.session().map(str::to_owned),
        bar: &bar,
    };
    let store = async |session: Option<&str>| {
        position.store(session);
        Ok(())
    };
    let interrupted = |reason: &str| progress::note(&bar, &format!("upload interrupted, resuming: {reason}"));
    let job = client.upload(upload, store, interrupted).await;
    if job.is_ok() {
        position.remove();
    }
    bar.finish_and_clear();
    job
}
