//! `vidp cancel`, `vidp retry` and `vidp rm`.

use crate::{
    client::{Client, Failure, job_path},
    config::Server,
    exit, output,
};
use anyhow::{Context, Result};
use clap::Args;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Jobs that a command is about.
#[derive(Args)]
pub struct Jobs {
    /// The jobs' ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// One JSON document for each job
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
pub struct RmCommand {
    /// Cancel those that have not ended, instead of refusing them
    #[arg(long)]
    cancel: bool,
    #[command(flatten)]
    jobs: Jobs,
}

/// Runs `vidp cancel`.
pub async fn cancel(jobs: Jobs) -> Result<ExitCode> {
    each(&jobs, async |client, id| act(client, id, "cancel").await).await
}

/// Runs `vidp retry`.
pub async fn retry(jobs: Jobs) -> Result<ExitCode> {
    each(&jobs, async |client, id| act(client, id, "retry").await).await
}

/// Runs `vidp rm`.
pub async fn rm(command: RmCommand) -> Result<ExitCode> {
    each(&command.jobs, async |client, id| {
        if command.cancel {
            match act(client, id, "cancel").await {
                // It has ended already.
                Err(error) if Failure::status(&error) == Some(StatusCode::CONFLICT) => {}
                done => drop(done?),
            }
        }
        client.delete(&job_path(id)?).await?;
        Ok(json!({ "id": id, "status": "deleted" }))
    })
    .await
}

async fn act(client: &Client, id: &str, what: &str) -> Result<Value> {
    client.act(&format!("{}/{what}", job_path(id)?)).await
}

/// Does it to each job; one that cannot be done keeps no other from it.
async fn each(jobs: &Jobs, change: impl AsyncFn(&Client, &str) -> Result<Value>) -> Result<ExitCode> {
    let client = jobs.server.client()?;
    let mut code = ExitCode::SUCCESS;
    for id in &jobs.ids {
        match change(&client, id).await.with_context(|| format!("job {id}")) {
            Ok(document) if jobs.json => output::json(&document),
            Ok(document) => output::fields(&[id, &output::field(&document, "status")]),
            Err(error) => {
                exit::complain(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
