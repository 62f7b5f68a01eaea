//! `vidp events`: events of the API, as they happen.

use super::columns::all_stages;
use crate::{
    client::{Event, Job, job_path},
    server::Server,
    ui::output,
};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// Arguments of `vidp events`.
#[derive(Args)]
pub struct EventsCommand {
    /// Print only the events of this job, until it has ended
    id: Option<String>,
    /// Start after the event with this id instead of now
    #[arg(long, value_name = "EVENT")]
    after: Option<String>,
    /// Print one JSON document per event, with the fields event, id and data
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
            // One line per event, also on a terminal: the output is a stream.
            output::print(json!({ "event": event.name, "id": event.id, "data": event.data }));
        } else {
            show(event);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(event: Event) {
    let id = output::field(&event.data, "id");
    // The event of a deleted job has only its id, and `reset` has only a text.
    let job = Job::parse(event.data.clone()).ok();
    let at = job
        .as_ref()
        .and_then(|job| OffsetDateTime::parse(&job.updated_at, &Rfc3339).ok());
    let at = at.unwrap_or_else(OffsetDateTime::now_utc);
    let at = at
        .format(format_description!("[hour]:[minute]:[second]Z"))
        .unwrap_or_default();
    // Columns on a terminal only.
    let padded = |text: String, width| match output::is_terminal() {
        true => format!("{text:<width$}"),
        false => text,
    };
    let name = padded(event.name, 8);
    match &job {
        Some(job) => {
            let width = if output::is_terminal() { 9 } else { 0 };
            let status = output::padded_status(&job.status, width);
            output::fields(&[&at, &name, &id, &status, &all_stages(job)]);
        }
        None => output::fields(&[&at, &name, &id, event.data["detail"].as_str().unwrap_or_default()]),
    }
}
