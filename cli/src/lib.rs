//! `vidp`: the command line of VidP.

mod batch;
mod client;
mod config;
mod dead;
mod demo;
mod doctor;
mod exit;
mod fetch;
mod hash;
mod interrupt;
mod jobs;
mod keys;
mod manual;
mod model;
mod options;
mod output;
mod progress;
mod report;
mod resume;
mod submit;
mod up;
mod watch;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// A video job pipeline: spoken language, smaller renditions and subtitles
#[derive(Parser)]
#[command(name = "vidp", version, after_help = exit::CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Upload videos, and follow their jobs if asked to
    Submit(Box<submit::SubmitCommand>),
    /// Process many videos: a folder, or a list; the same command again goes on where it stopped
    Batch(Box<batch::BatchCommand>),
    /// Follow jobs to their end
    Watch(watch::WatchCommand),
    /// Show a job, or download its outputs
    Get(watch::GetCommand),
    /// List jobs, or follow all of them
    Jobs(jobs::list::JobsCommand),
    /// End jobs; what is done of them stays
    Cancel(jobs::change::Jobs),
    /// Run the failed and cancelled stages of jobs again
    Retry(jobs::change::Jobs),
    /// Delete ended jobs with their files
    Rm(jobs::change::RmCommand),
    /// Print what happens, as it happens
    Events(jobs::events::EventsCommand),
    /// List, read, send back and discard messages that nobody could work on
    #[command(subcommand)]
    Dead(dead::DeadCommand),
    /// Make, list, rotate and revoke API keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Run the whole system on this machine until Ctrl-C
    Up(up::Up),
    /// Start the system, process one video, and stop the system
    Demo(demo::Demo),
    /// Check that everything is there that `vidp up` needs, and say what mends it
    Doctor(doctor::Doctor),
    /// List, fetch, import, make and check speech models
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Print what a shell needs to complete commands and options
    Completions(manual::Completions),
    /// Write manual pages
    Man(manual::Man),
}

#[tokio::main]
async fn main() -> ExitCode {
    // Fails only when there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            exit::complain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Submit(command) => return submit::run(*command).await,
        Command::Batch(command) => return batch::run(*command).await,
        Command::Watch(command) => return watch::watch(command).await,
        Command::Get(command) => return watch::get(command).await,
        Command::Jobs(command) => return jobs::list::run(command).await,
        Command::Cancel(jobs) => return jobs::change::cancel(jobs).await,
        Command::Retry(jobs) => return jobs::change::retry(jobs).await,
        Command::Rm(command) => return jobs::change::rm(command).await,
        Command::Events(command) => return jobs::events::run(command).await,
        Command::Dead(command) => return dead::run(command).await,
        Command::Demo(command) => return demo::run(command).await,
        Command::Doctor(command) => return doctor::run(command).await,
        Command::Keys(command) => keys::run(command).await?,
        Command::Up(command) => up::run(command).await?,
        Command::Model(command) => model::run(command).await?,
        Command::Completions(command) => manual::completions(&command, Cli::command()),
        Command::Man(command) => manual::man(&command, Cli::command())?,
    }
    Ok(ExitCode::SUCCESS)
}
