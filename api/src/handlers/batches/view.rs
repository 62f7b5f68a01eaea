//! A batch as clients see it, with its progress and the estimated time left.

use crate::http::problem::Problem;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_record::{
    batch::{ActionKind, Batch, ItemError},
    db::{Counts, Db},
    job::JobStatus,
    time::DateTime,
    view,
};

/// The rate counts the jobs that ended within this time.
const RATE_WINDOW: Duration = Duration::from_secs(300);

/// Many jobs that were created by one request.
#[derive(Serialize, ToSchema)]
#[schema(as = Batch)]
pub(crate) struct BatchView<'a> {
    /// UUIDv7; the `batch_id` of its jobs.
    id: Uuid,
    /// Name for people.
    name: Option<&'a str>,
    /// When the batch was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    /// True when all items have been read.
    complete: bool,
    /// Number of items that have been read.
    #[schema(minimum = 0)]
    total: u32,
    /// Number of items that were invalid and created no job.
    #[schema(minimum = 0)]
    rejected: u32,
    /// The errors of the first hundred rejected items.
    errors: &'a [ItemError],
    /// The action in progress on all jobs.
    action: Option<ActionKind>,
    /// Number of jobs by status, without deleted jobs.
    #[schema(value_type = BTreeMap<String, u64>)]
    jobs: BTreeMap<&'static str, u64>,
    /// Jobs that ended per minute, over the last five minutes.
    #[schema(minimum = 0)]
    jobs_per_minute: f64,
    /// Estimated seconds until all jobs have ended at that rate; null when no job ended in the last five minutes.
    #[schema(minimum = 0)]
    seconds_left: Option<f64>,
}

/// The batch in JSON.
pub(super) async fn batch(db: &Db, batch: &Batch) -> Result<Response, Problem> {
    let now = DateTime::now().timestamp_millis();
    let window = RATE_WINDOW.as_secs_f64();
    let since = now - RATE_WINDOW.as_millis() as i64;
    let counts = db.counts(batch, DateTime::from_millis(since)).await?;
    let age = (now - batch.created_at.timestamp_millis()) as f64 / 1000.0;
    let (jobs_per_minute, seconds_left) = rate(&counts, age.clamp(1.0, window));
    let by_status = |status: JobStatus| {
        (
            status.as_str(),
            counts.by_status.get(&status).copied().unwrap_or(0),
        )
    };
    Ok(Json(BatchView {
        id: batch.id,
        name: batch.name.as_deref(),
        created_at: view::time(Some(batch.created_at)),
        complete: batch.complete,
        total: batch.total,
        rejected: batch.rejected,
        errors: &batch.errors,
        action: batch.action.as_ref().map(|action| action.kind),
        jobs: JobStatus::ALL.into_iter().map(by_status).collect(),
        jobs_per_minute,
        seconds_left,
    })
    .into_response())
}

/// Jobs that ended per minute in the last `seconds`, and the estimated seconds until the open jobs have ended.
fn rate(counts: &Counts, seconds: f64) -> (f64, Option<f64>) {
    let open: u64 = JobStatus::OPEN
        .iter()
        .filter_map(|status| counts.by_status.get(status))
        .sum();
    let rate = counts.ended_since as f64 / seconds;
    let left = match (open, counts.ended_since) {
        (0, _) => Some(0.0),
        (_, 0) => None,
        _ => Some((open as f64 / rate).round()),
    };
    ((rate * 600.0).round() / 10.0, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_follows_the_rate_of_ended_jobs() {
        let check = |open, ended_since, expected| {
            let by_status = BTreeMap::from([(JobStatus::Queued, open), (JobStatus::Succeeded, 7)]);
            let counts = Counts {
                by_status,
                ended_since,
            };
            assert_eq!(rate(&counts, 60.0), expected);
        };
        check(30, 15, (15.0, Some(120.0)));
        check(0, 7, (7.0, Some(0.0)));
        check(30, 0, (0.0, None));
    }
}
