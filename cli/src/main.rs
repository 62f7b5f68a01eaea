//! `vidp`: the command line of VidP.

mod client;
mod demo;
mod doctor;
mod fetch;
mod jobs;
mod keys;
mod model;
mod progress;
mod report;
mod submit;
mod up;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A video job pipeline: spoken language, smaller renditions and subtitles
#[derive(Parser)]
#[command(name = "vidp", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole system on this machine until Ctrl-C
    Up(up::Up),
    /// Upload a video
    Submit(Box<jobs::SubmitCommand>),
    /// Follow a job to its end
    Watch(jobs::WatchCommand),
    /// Print a job, or download its outputs
    Get(jobs::GetCommand),
    /// Make, list, rotate and revoke API keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Make and check speech models
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Check that everything is there that `vidp up` needs
    Doctor,
    /// Start the system, process one video, and stop the system
    Demo(demo::Demo),
}

#[tokio::main]
async fn main() -> ExitCode {
    // Fails only when there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up(command) => up::run(command).await.map(|()| ExitCode::SUCCESS),
        Command::Submit(command) => jobs::submit(*command).await,
        Command::Watch(command) => jobs::watch(command).await,
        Command::Get(command) => jobs::get(command).await,
        Command::Keys(command) => keys::run(command).await.map(|()| ExitCode::SUCCESS),
        Command::Model(command) => model::run(command).map(|()| ExitCode::SUCCESS),
        Command::Doctor if doctor::run() => Ok(ExitCode::SUCCESS),
        Command::Doctor => Ok(ExitCode::FAILURE),
        Command::Demo(command) => demo::run(command).await,
    }
}
