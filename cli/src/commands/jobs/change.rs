//! `vidp cancel`, `vidp retry` and `vidp rm`.

use crate::{
    client::{Client, Failure, job_path},
    server::Server,
    ui::{exit, output},
};
use anyhow::{Context, Result};
use clap::Args;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Arguments of `vidp cancel` and `vidp retry`.
#[derive(Args)]
pub struct Jobs {
    /// Ids of the jobs
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Print one JSON document per job
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Arguments of `vidp rm`.
#[derive(Args)]
pub struct RmCommand {
    /// Also cancel and delete jobs that have not ended
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
                // The job has ended already.
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

/// Changes each job and prints its status. An error is printed, and the other jobs are still changed.
async fn each(jobs: &Jobs, change: impl AsyncFn(&Client, &str) -> Result<Value>) -> Result<ExitCode> {
    let client = jobs.server.client()?;
    let mut code = ExitCode::SUCCESS;
    for id in &jobs.ids {
        match change(&client, id).await.with_context(|| format!("job {id}")) {
            Ok(document) if jobs.json => output::json(&document),
            Ok(document) => output::fields(&[id, &output::field(&document, "status")]),
            Err(error) => {
                exit::print_error(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
