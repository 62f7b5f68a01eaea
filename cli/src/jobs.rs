//! `vidp submit`, `vidp watch` and `vidp get`.

use crate::{
    client::{Client, Job},
    fetch,
    progress::Display,
    report,
    submit::Submit,
};
use anyhow::Result;
use clap::Args;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Ended by Ctrl-C, as shells count it.
const INTERRUPTED: u8 = 130;

/// Which server to talk to.
#[derive(Args)]
pub struct Server {
    /// Address of the API
    #[arg(long, env = "VIDP_SERVER", default_value = "http://127.0.0.1:8000")]
    server: String,
    /// API key, where the server asks for one
    #[arg(long, env = "VIDP_API_KEY", default_value = "", hide_env_values = true)]
    api_key: String,
}

impl Server {
    /// A connection to it.
    pub fn client(&self) -> Result<Client> {
        let key = Some(self.api_key.trim()).filter(|key| !key.is_empty());
        Client::new(&self.server, key)
    }
}

/// How to show a job's end.
#[derive(Args, Default)]
pub struct Show {
    /// Print the job document on standard output, and nothing else
    #[arg(long)]
    json: bool,
    /// Download the outputs to this folder
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub struct SubmitCommand {
    #[command(flatten)]
    submit: Submit,
    #[command(flatten)]
    server: Server,
    /// Wait until the job is over; exits 0 when it succeeded, 3 partial, 4 failed, 5 cancelled
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    show: Show,
}

#[derive(Args)]
pub struct WatchCommand {
    /// The job's id
    id: String,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    show: Show,
}

#[derive(Args)]
pub struct GetCommand {
    /// The job's id
    id: String,
    #[command(flatten)]
    server: Server,
    /// Download the outputs to this folder, instead of printing the job document
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs `vidp submit`.
pub async fn submit(command: SubmitCommand) -> Result<ExitCode> {
    let client = command.server.client()?;
    let job = tokio::select! {
        job = command.submit.upload(&client) => job?,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nupload given up");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    // --out has no meaning before there are outputs.
    if command.wait || command.show.out.is_some() {
        return follow(&client, &job.id, &command.show).await;
    }
    if command.show.json {
        println!("{}", serde_json::to_string_pretty(&job.document)?);
    } else {
        println!("job {}\nfollow it with `vidp watch {}`", job.id, job.id);
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `vidp watch`.
pub async fn watch(command: WatchCommand) -> Result<ExitCode> {
    let client = command.server.client()?;
    follow(&client, &command.id, &command.show).await
}

/// Runs `vidp get`.
pub async fn get(command: GetCommand) -> Result<ExitCode> {
    let client = command.server.client()?;
    let job = client.job(&command.id).await?;
    match command.out {
        None => println!("{}", serde_json::to_string_pretty(&job.document)?),
        Some(dir) => {
            let count = fetch::all(&client, &job, &dir).await?;
            println!("{count} files in {}", dir.display());
            if !job.is_over() {
                println!("the job is still {}: more may come", job.status);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn follow(client: &Client, id: &str, show: &Show) -> Result<ExitCode> {
    tokio::select! {
        job = finish(client, id, show) => Ok(exit_code(&job?)),
        _ = tokio::signal::ctrl_c() => {
            let server = client.server();
            eprintln!("\nthe job goes on; come back with `vidp watch {id} --server {server}`");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

/// Follows a job to its end, downloads its outputs if asked to, and shows it.
pub async fn finish(client: &Client, id: &str, show: &Show) -> Result<Job> {
    let mut display = Display::new();
    let job = client.follow(id, |job| display.show(job)).await;
    display.clear();
    let job = job?;
    let dir: Option<&Path> = show.out.as_deref();
    if let Some(dir) = dir {
        fetch::all(client, &job, dir).await?;
    }
    if show.json {
        println!("{}", serde_json::to_string_pretty(&job.document)?);
    } else {
        report::print(client, &job, dir).await;
    }
    Ok(job)
}

impl Show {
    /// The report, and the outputs in a folder.
    pub fn report_and_fetch(dir: PathBuf) -> Show {
        Show {
            json: false,
            out: Some(dir),
        }
    }
}

/// What the shell gets to know of a job.
pub fn exit_code(job: &Job) -> ExitCode {
    ExitCode::from(match job.status.as_str() {
        "succeeded" => 0,
        "partial" => 3,
        "failed" => 4,
        "cancelled" => 5,
        _ => 1,
    })
}
