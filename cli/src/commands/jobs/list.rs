//! `vidp jobs`: lists jobs and follows their changes.

use super::columns::{age, all_stages, stage_counts};
use crate::{
    client::{Client, Job},
    server::Server,
    ui::{output, table::Table},
};
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

const PATH: &str = "/api/v1/jobs";
/// Largest page of the API.
const MAX_PAGE: usize = 100;
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

/// Arguments of `vidp jobs`.
#[derive(Args)]
pub struct JobsCommand {
    /// List only jobs with this status
    #[arg(long, value_parser = STATUSES)]
    status: Option<String>,
    /// List only jobs with this text in the file name or an id
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// List only jobs with this external id
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// List only jobs of this API batch
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Maximum number of jobs, newest first
    #[arg(long, default_value_t = 20, conflicts_with = "all")]
    limit: usize,
    /// List all jobs
    #[arg(long)]
    all: bool,
    /// After the list, print a line for each new job and each change of a status or stage
    #[arg(long, short)]
    follow: bool,
    /// Print one JSON document per job
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Runs `vidp jobs`.
pub async fn run(command: JobsCommand) -> Result<ExitCode> {
    let client = command.server.client()?;
    // Connected before the list is read, so that no change is missed between the two.
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
            eprintln!("no jobs; `vidp submit FILE` creates one");
        }
        return Ok(ExitCode::SUCCESS);
    };
    while let Some(event) = events.next().await? {
        match event.name.as_str() {
            "status" => {
                let job = Job::parse(event.data)?;
                if matches_filters(&command, &job) {
                    show(&job);
                }
            }
            // Events were missed: list the jobs again.
            "reset" => drop(list(&client, &command, show).await?),
            _ => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, command: &JobsCommand, show: impl Fn(&Job)) -> Result<usize> {
    let limit = if command.all { usize::MAX } else { command.limit };
    let mut query = vec![("limit", limit.clamp(1, MAX_PAGE).to_string())];
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

/// True when the job of an event matches the filters.
fn matches_filters(command: &JobsCommand, job: &Job) -> bool {
    let is = |wanted: &Option<String>, value: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
    };
    is(&command.status, Some(&job.status))
        && command
            .search
            .as_deref()
            .is_none_or(|text| contains_text(job, text))
        && is(&command.external_id, job.external_id.as_deref())
        && is(&command.batch, job.batch_id.as_deref())
}

/// Searches a job as the server does.
fn contains_text(job: &Job, text: &str) -> bool {
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
        stage_counts(job)
    } else {
        all_stages(job)
    };
    [
        job.id.clone(),
        output::status(&job.status),
        age(&job.created_at),
        stages,
        job.source.filename.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}
