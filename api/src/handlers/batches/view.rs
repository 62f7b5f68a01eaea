//! `/api/v1/batches`: many jobs by reference in one request, and what is done to all of them.

pub mod create;
mod items;

use crate::http::{extract::Owned, problem::Problem};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_pipeline::{Shared, batch_actions};
use vidp_record::{
    batch::{ActionKind, Batch, ItemError},
    db::{Counts, Db},
    job::JobStatus,
    time::DateTime,
    view,
};

/// The rate is that of so long. Seconds.
const RATE_WINDOW: Duration = Duration::from_secs(300);

/// Many jobs together.
#[derive(Serialize, ToSchema)]
#[schema(as = Batch)]
pub struct BatchView<'a> {
    /// UUIDv7; the `batch_id` of its jobs.
    id: Uuid,
    name: Option<&'a str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    /// All items have been read.
    complete: bool,
    /// Items that were read.
    #[schema(minimum = 0)]
    total: u32,
    /// Of them, those that made no job.
    #[schema(minimum = 0)]
    rejected: u32,
    /// Why, for the first hundred.
    errors: &'a [ItemError],
    /// What is being done to all of its jobs.
    action: Option<ActionKind>,
    /// Jobs by status; deleted ones are no more.
    #[schema(value_type = BTreeMap<String, u64>)]
    jobs: BTreeMap<&'static str, u64>,
    /// Jobs that ended in the last five minutes, a minute.
    #[schema(minimum = 0)]
    jobs_per_minute: f64,
    /// Seconds until all have ended, at that rate; null without one.
    #[schema(minimum = 0)]
    seconds_left: Option<f64>,
}

/// Get a batch.
///
/// How many of its jobs have which status, how fast they end, and how long it will take. The jobs themselves:
/// `/jobs?batch_id=`.
#[utoipa::path(
    get, path = "", operation_id = "getBatch", tag = "Batches",
    params(("id" = Uuid, Path, description = "The batch.", example = "0198c2a4-0c55-7b02-b7a4-91c3d2e4f5a6")),
    responses((status = 200, description = "The batch.", body = BatchView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn get(State(db): State<Db>, Owned(batch): Owned<Batch>) -> Result<Response, Problem> {
    shown(&db, &batch).await
}

/// Cancel all jobs of a batch.
///
/// Those that have not ended; one after the other, after this answer.
#[utoipa::path(
    post, path = "", operation_id = "cancelBatch", tag = "Batches",
    params(("id" = Uuid, Path, description = "The batch.", example = "0198c2a4-0c55-7b02-b7a4-91c3d2e4f5a6")),
    responses((status = 202, description = "The batch.", body = BatchView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn cancel(State(pipeline): State<Shared>, Owned(batch): Owned<Batch>) -> Result<Response, Problem> {
    begin(&pipeline, batch, ActionKind::Cancel).await
}

/// Try the failed jobs of a batch again.
///
/// Failed, partial and cancelled ones; one after the other, after this answer.
#[utoipa::path(
    post, path = "", operation_id = "retryBatch", tag = "Batches",
    params(("id" = Uuid, Path, description = "The batch.", example = "0198c2a4-0c55-7b02-b7a4-91c3d2e4f5a6")),
    responses((status = 202, description = "The batch.", body = BatchView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn retry(State(pipeline): State<Shared>, Owned(batch): Owned<Batch>) -> Result<Response, Problem> {
    begin(&pipeline, batch, ActionKind::Retry).await
}

async fn begin(pipeline: &Shared, mut batch: Batch, kind: ActionKind) -> Result<Response, Problem> {
    batch_actions::begin(pipeline, &mut batch, kind).await?;
    let shown = shown(&pipeline.db, &batch).await?;
    Ok((StatusCode::ACCEPTED, shown).into_response())
}

async fn shown(db: &Db, batch: &Batch) -> Result<Response, Problem> {
    let now = DateTime::now().timestamp_millis();
    let window = RATE_WINDOW.as_secs_f64();
    let since = now - RATE_WINDOW.as_millis() as i64;
    let counts = db.counts(batch, DateTime::from_millis(since)).await?;
    let age = (now - batch.created_at.timestamp_millis()) as f64 / 1000.0;
    let (jobs_per_minute, seconds_left) = pace(&counts, age.clamp(1.0, window));
    let name = |status: JobStatus| {
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
        jobs: JobStatus::ALL.into_iter().map(name).collect(),
        jobs_per_minute,
        seconds_left,
    })
    .into_response())
}

/// Jobs a minute, and the seconds until the rest has ended at that rate.
fn pace(counts: &Counts, seconds: f64) -> (f64, Option<f64>) {
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
    fn the_rest_takes_as_long_as_the_last_ones_did() {
        let check = |open, ended_since, expected| {
            let by_status = BTreeMap::from([(JobStatus::Queued, open), (JobStatus::Succeeded, 7)]);
            assert_eq!(
                pace(
                    &Counts {
                        by_status,
                        ended_since
                    },
                    60.0
                ),
                expected
            );
        };
        check(30, 15, (15.0, Some(120.0)));
        check(0, 7, (7.0, Some(0.0)));
        check(30, 0, (0.0, None));
    }
}
