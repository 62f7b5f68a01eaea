//! `vidp events`: what happens, as it happens.

use super::long;
use crate::{
    client::{Event, Job, job_path},
    config::Server,
    output,
};
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use time::{OffsetDateTime, macros::format_description};

#[derive(Args)]
pub struct EventsCommand {
    /// Only this job's, until it has ended; of all jobs without one
    id: Option<String>,
    /// Go on behind the event with this id, instead of from now
    #[arg(long, value_name = "EVENT")]
    after: Option<String>,
    /// One JSON document for each event: event, id, data
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Runs `vidp events`.
pub async fn run(command: EventsCommand) -> Result<ExitCode> {
    let client = command.server.client()?;
    let path = match &command.id {
        Some(id) => format!("{}/events", job_path(id)?),
        None => "/api/v1/events".to_owned(),
    };
    let mut events = client.events(path, command.after).await?;
    while let Some(event) = events.next().await? {
        if command.json {
            // One line each, on a terminal too: it is a stream.
            output::print(json!({ "event": event.name, "id": event.id, "data": event.data }));
        } else {
            output::print(line(event));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(event: Event) -> String {
    let now = OffsetDateTime::now_utc();
    let now = now.format(format_description!("[hour]:[minute]:[second]Z"));
    let now = now.unwrap_or_default();
    let id = output::field(&event.data, "id");
    let what = match Job::parse(event.data.clone()) {
        Ok(job) => format!("{:<9}  {}", output::status(&job.status), long(&job)),
        // Of a deleted job there is the id alone; a reset says what to do.
        Err(_) => event.data["detail"].as_str().unwrap_or_default().to_owned(),
    };
    format!("{now}  {:<8}  {id}  {what}", event.name)
        .trim_end()
        .to_owned()
}
