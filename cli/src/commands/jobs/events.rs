//! `vidp events`: what happens, as it happens.

use super::long;
use crate::{
    client::{Event, Job, job_path},
    config::Server,
    output,
};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

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
    let events = client.events(path, command.after).await;
    let mut events = match &command.id {
        Some(id) => events.with_context(|| format!("job {id}"))?,
        None => events?,
    };
    while let Some(event) = events.next().await? {
        if command.json {
            // One line each, on a terminal too: it is a stream.
            output::print(json!({ "event": event.name, "id": event.id, "data": event.data }));
        } else {
            show(event);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(event: Event) {
    let id = output::field(&event.data, "id");
    // Of a deleted job there is the id alone; a reset says what to do.
    let job = Job::parse(event.data.clone()).ok();
    let at = job
        .as_ref()
        .and_then(|job| OffsetDateTime::parse(&job.updated_at, &Rfc3339).ok());
    let at = at.unwrap_or_else(OffsetDateTime::now_utc);
    let at = at
        .format(format_description!("[hour]:[minute]:[second]Z"))
        .unwrap_or_default();
    // In columns for people.
    let wide = |text: String, width| match output::is_terminal() {
        true => format!("{text:<width$}"),
        false => text,
    };
    let name = wide(event.name, 8);
    match &job {
        Some(job) => {
            let width = if output::is_terminal() { 9 } else { 0 };
            let status = output::status_of_width(&job.status, width);
            output::fields(&[&at, &name, &id, &status, &long(job)]);
        }
        None => output::fields(&[&at, &name, &id, event.data["detail"].as_str().unwrap_or_default()]),
    }
}
