//! The command line of VidP, as a library: the program `vidp` calls [`run`].
//!
//! * `client`: the HTTP API, as a client uses it.
//! * `server`: the choice of the server and the API key.
//! * `files`: hashes, downloads and positions of uploads on this machine.
//! * `ui`: output for people and programs, progress, reports, exit codes, Ctrl-C.
//! * `commands`: one module per subcommand; only this layer knows the command line's arguments.

pub mod client;
pub mod commands;
pub mod files;
pub mod server;
pub mod ui;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use commands::{batch, dead, demo, doctor, jobs, keys, manual, model, submit, up, watch};
use std::process::ExitCode;
use ui::exit;

/// A video job pipeline: spoken language, smaller renditions and subtitles
#[derive(Parser)]
#[command(name = "vidp", version, after_help = exit::CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Upload videos, and optionally follow their jobs
    Submit(Box<submit::SubmitCommand>),
    /// Process many videos, from a folder or a manifest; run the same command again to resume
    Batch(Box<batch::BatchCommand>),
    /// Follow jobs until they end
    Watch(watch::WatchCommand),
    /// Show a job, or download its outputs
    Get(watch::GetCommand),
    /// List jobs, and optionally follow all changes
    Jobs(jobs::list::JobsCommand),
    /// Cancel jobs; finished stages keep their outputs
    Cancel(jobs::change::Jobs),
    /// Run the failed and cancelled stages of jobs again
    Retry(jobs::change::Jobs),
    /// Delete ended jobs and their files
    Rm(jobs::change::RmCommand),
    /// Print events as they happen
    Events(jobs::events::EventsCommand),
    /// List, show, redrive and discard dead letters (messages that could not be processed)
    #[command(subcommand)]
    Dead(dead::DeadCommand),
    /// Create, list, rotate and revoke API keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Run the whole system on this machine until Ctrl-C
    Up(up::Up),
    /// Start the system, process one video, and stop the system
    Demo(demo::Demo),
    /// Check what `vidp up` needs, and say how to fix what is missing
    Doctor(doctor::Doctor),
    /// List, fetch, import, make and check speech models
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Print a completion script for a shell
    Completions(manual::Completions),
    /// Write manual pages
    Man(manual::Man),
}

/// Runs the command line of this process; prints errors and returns the exit code.
pub async fn run() -> ExitCode {
    // Fails only when a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match dispatch(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            exit::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command) -> Result<ExitCode> {
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
