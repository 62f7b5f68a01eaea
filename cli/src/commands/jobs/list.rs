//! `vidp jobs`: what there is, and what becomes of it.

use super::{long, short, since};
use crate::{
    client::{Client, Job},
    config::Server,
    output::{self, Table},
};
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

const PATH: &str = "/api/v1/jobs";
/// Most that the API gives on a page.
const PAGE: usize = 100;
const STATUSES: [&str; 7] = [
    "uploading",
    "queued",
    "running",
    "succeeded",
    "partial",
    "failed",
    "cancelled",
];
const COLUMNS: [(&str, usize); 5] = [("ID", 36), ("STATUS", 9), ("AGE", 4), ("STAGES", 8), ("FILE", 0)];

#[derive(Args)]
pub struct JobsCommand {
    /// Only those with this status
    #[arg(long, value_parser = STATUSES)]
    status: Option<String>,
    /// Only those with this text in the file name or an id
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those with this id of your own
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Only those of this batch of the API
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// How many, the newest first
    #[arg(long, default_value_t = 20, conflicts_with = "all")]
    limit: usize,
    /// Every one
    #[arg(long)]
    all: bool,
    /// Go on with a line for each job that is new or whose status or stages change
    #[arg(long, short)]
    follow: bool,
    /// One JSON document for each job
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Runs `vidp jobs`.
pub async fn run(command: JobsCommand) -> Result<ExitCode> {
    let client = command.server.client()?;
    // Before the list, so that no change falls between the two.
    let events = match command.follow {
        true => Some(client.events("/api/v1/events".to_owned(), None).await?),
        false => None,
    };
    let table = (!command.json).then(|| Table::new(&COLUMNS));
    let show = |job: &Job| match &table {
        Some(table) => table.row(&cells(job)),
        None => output::json(&job.document),
    };
    let count = list(&client, &command, show).await?;
    let Some(mut events) = events else {
        if count == 0 && output::is_terminal() {
            eprintln!("no jobs; `vidp submit FILE` makes one");
        }
        return Ok(ExitCode::SUCCESS);
    };
    while let Some(event) = events.next().await? {
        match event.name.as_str() {
            "status" => {
                let job = Job::parse(event.data)?;
                if wanted(&command, &job) {
                    show(&job);
                }
            }
            // Events were missed.
            "reset" => drop(list(&client, &command, show).await?),
            _ => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, command: &JobsCommand, show: impl Fn(&Job)) -> Result<usize> {
    let limit = if command.all { usize::MAX } else { command.limit };
    let mut query = vec![("limit", limit.clamp(1, PAGE).to_string())];
    for (name, value) in [
        ("status", &command.status),
        ("search", &command.search),
        ("external_id", &command.external_id),
        ("batch_id", &command.batch),
    ] {
        query.extend(value.clone().map(|value| (name, value)));
    }
    let mut count = 0;
    let each = |document| {
        count += 1;
        show(&Job::parse(document)?);
        Ok(())
    };
    client.list(PATH, query, limit, each).await?;
    Ok(count)
}

/// Whether an event's job is one of those that are listed.
fn wanted(command: &JobsCommand, job: &Job) -> bool {
    let is = |wanted: &Option<String>, value: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
    };
    is(&command.status, Some(&job.status))
        && command.search.as_deref().is_none_or(|text| has(job, text))
        && is(&command.external_id, job.external_id.as_deref())
        && is(&command.batch, job.batch_id.as_deref())
}

/// As the server searches, for jobs that come by events.
fn has(job: &Job, text: &str) -> bool {
    let fields = [
        job.source.filename.as_deref(),
        Some(&job.id),
        job.external_id.as_deref(),
        job.batch_id.as_deref(),
    ];
    let text = text.to_lowercase();
    fields
        .into_iter()
        .flatten()
        .any(|field| field.to_lowercase().contains(&text))
}

fn cells(job: &Job) -> [String; 5] {
    let stages = if output::is_terminal() {
        short(job)
    } else {
        long(job)
    };
    [
        job.id.clone(),
        output::status(&job.status),
        since(&job.created_at),
        stages,
        job.source.filename.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}
