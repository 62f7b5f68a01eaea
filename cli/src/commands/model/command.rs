use super::{check::check, fetch::Fetch, import::Import, list::List, make::Make, place::name_in};
use crate::ui::output;
use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// Subcommands of `vidp model`.
#[derive(Subcommand)]
pub enum ModelCommand {
    /// List the models on this machine
    List(List),
    /// Download a model that whisper.cpp publishes
    Fetch(Fetch),
    /// Import a model: a ggml file, or a faster-whisper folder, which is converted
    Import(Import),
    /// Make the models from the weights that `make setup` downloaded
    Make(Make),
    /// Check that a file is a Whisper model that VidP can use; names the format of other files
    Check(Check),
}

/// Arguments of `vidp model check`.
#[derive(Args)]
pub struct Check {
    /// A ggml model of whisper.cpp
    path: PathBuf,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// Runs `vidp model`.
pub async fn run(command: ModelCommand) -> Result<()> {
    match command {
        ModelCommand::List(list) => list.run(),
        ModelCommand::Fetch(fetch) => fetch.run().await,
        ModelCommand::Import(import) => import.run(),
        ModelCommand::Make(make) => make.run(),
        ModelCommand::Check(Check { path, json }) => {
            let model = check(&path)?;
            if json {
                output::json(&json!({ "name": name_in(&path), "path": path, "model": model }));
            } else {
                output::print(format!("{}: {model}", path.display()));
            }
            Ok(())
        }
    }
}
