//! `vidp dead`: dead letters, for operators. Each command needs an API key with the scope `admin`.

use crate::{
    client::path_segment,
    server::Server,
    ui::{
        exit,
        output::{self, field},
        table::Table,
    },
};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use console::style;
use serde_json::{Value, json};
use std::process::ExitCode;

const PATH: &str = "/api/v1/dead-letters";
const COLUMNS: [(&str, usize); 5] = [
    ("ID", 6),
    ("QUEUE", 9),
    ("DEAD AT", 20),
    ("JOB", 36),
    ("REASON", 0),
];

/// Subcommands of `vidp dead`.
#[derive(Subcommand)]
pub enum DeadCommand {
    /// List dead letters, oldest first
    List {
        /// Print one JSON document per dead letter
        #[arg(long)]
        json: bool,
        /// The server
        #[command(flatten)]
        server: Server,
    },
    /// Show a dead letter with its payload
    Show {
        /// Id of the dead letter
        id: String,
        /// Print a JSON document
        #[arg(long)]
        json: bool,
        /// The server
        #[command(flatten)]
        server: Server,
    },
    /// Send dead letters back to their original queue
    Redrive(Letters),
    /// Discard dead letters permanently
    Discard(Letters),
}

/// Arguments of `vidp dead redrive` and `vidp dead discard`.
#[derive(Args)]
pub struct Letters {
    /// Ids of the dead letters
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Print one JSON document per dead letter
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Runs `vidp dead`.
pub async fn run(command: DeadCommand) -> Result<ExitCode> {
    match command {
        DeadCommand::List { json, server } => list(json, &server).await,
        DeadCommand::Show { id, json, server } => show(&id, json, &server).await,
        DeadCommand::Redrive(letters) => each(&letters, true).await,
        DeadCommand::Discard(letters) => each(&letters, false).await,
    }
}

async fn list(json: bool, server: &Server) -> Result<ExitCode> {
    let table = (!json).then(|| Table::new(&COLUMNS));
    let mut count = 0;
    let row = |letter: Value| {
        count += 1;
        match &table {
            Some(table) => {
                let cells = ["id", "queue", "dead_at", "job_id", "reason"];
                table.row(&cells.map(|name| field(&letter, name)));
            }
            None => output::json(&letter),
        }
        Ok(())
    };
    server.client()?.list(PATH, Vec::new(), usize::MAX, row).await?;
    if count == 0 && !json && output::is_terminal() {
        eprintln!("no dead letters");
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(id: &str, json: bool, server: &Server) -> Result<ExitCode> {
    let letter: Value = server.client()?.get(&path(id)?).await?.json().await?;
    if json {
        output::json(&letter);
        return Ok(ExitCode::SUCCESS);
    }
    for (name, value) in letter.as_object().into_iter().flatten() {
        if name != "payload" && !value.is_null() {
            output::print(format!("{:<11} {}", style(name).bold(), field(&letter, name)));
        }
    }
    let payload = &letter["payload"];
    let data = match &payload["data"] {
        Value::String(text) => text.clone(),
        document => format!("{document:#}"),
    };
    output::print(format!("\n{data}"));
    Ok(ExitCode::SUCCESS)
}

async fn each(letters: &Letters, redrive: bool) -> Result<ExitCode> {
    let client = letters.server.client()?;
    let mut code = ExitCode::SUCCESS;
    for id in &letters.ids {
        let path = path(id)?;
        let (done, what) = match redrive {
            true => (
                client.act(&format!("{path}/redrive")).await.map(drop),
                "sent back",
            ),
            false => (client.delete(&path).await, "discarded"),
        };
        match done.with_context(|| format!("dead letter {id}")) {
            Ok(()) if letters.json => output::json(&json!({ "id": id, "status": what })),
            Ok(()) => output::fields(&[id, what]),
            Err(error) => {
                exit::print_error(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn path(id: &str) -> Result<String> {
    Ok(format!("{PATH}/{}", path_segment("dead letter", id)?))
}
