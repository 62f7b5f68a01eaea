//! `vidp`: the command line of VidP.

mod model;

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
    /// Make and check speech models
    #[command(subcommand)]
    Model(model::ModelCommand),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Model(command) => model::run(command),
    };
    if let Err(error) = done {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
