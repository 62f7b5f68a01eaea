//! `/api/v1/batches`: many jobs by reference in one request, and what is done to all of them.

pub mod act;
mod items;

use crate::{
    app::Shared,
    batch::{ActionKind, Batch, ItemError},
    caller::Caller,
    db::{Counts, DbError},
    idempotency,
    job::{Job, JobStatus},
    options,
    problem::{Code, Problem},
    upload::ByReference,
    view,
};
use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use items::Items;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vidp_common::contract::{JobOptions, Lane};

/// Most items of a batch; those behind are refused one by one.
const MAX_ITEMS: u32 = 10_000;
/// Jobs that are stored together.
const TOGETHER: usize = 200;
/// Errors that are kept; the others are counted.
const MAX_ERRORS: usize = 100;
/// The rate is that of so long. Seconds.
const RATE_WINDOW: Duration = Duration::from_secs(300);
/// Longest name in characters.
const MAX_NAME: usize = 256;

/// Query of [`create`] with lines of JSON, which have no place for it.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct NewBatchQuery {
    /// For people.
    #[param(example = "spring", max_length = 256)]
    name: Option<String>,
    /// Options of all items, as JSON; what an item says itself counts.
    #[param(example = "{\"stages\":[\"detect\"]}")]
    options: Option<String>,
}

/// A batch as one document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the document: items are read one by one")]
pub struct NewBatch {
    /// For people.
    #[schema(max_length = 256)]
    name: Option<String>,
    /// Options of all items; what an item says itself counts.
    options: Option<JobOptions>,
    #[schema(max_items = 10_000)]
    items: Vec<ByReference>,
}

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

/// Make many jobs.
///
/// One for each item, in the lane `batch`, so that interactive uploads go before them. An item that is wrong does not keep
/// the others from their jobs: the answer says which ones are. A long list is best sent as lines of JSON, an item each:
/// they are stored as they come.
#[utoipa::path(
    post, path = "", operation_id = "createBatch", tag = "Batches",
    params(
        NewBatchQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Makes one batch of all requests with this key within \
            24 hours; one that broke off is gone on with.", example = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\""),
    ),
    request_body(content((NewBatch = "application/json"), (ByReference = "application/x-ndjson"))),
    responses((status = 202, description = "The batch.", body = BatchView,
        headers(
            ("Location" = String, description = "The batch's URL."),
            ("Idempotent-Replayed" = Option<String>, description = "`true` when an earlier request made this batch."),
        ),
        links(("batch" = (operation_id = "getBatch", parameters(("id" = "$response.body#/id"))))))),
    extensions(("x-problems" = json!(["quota_exceeded", "too_slow", "unsupported_content_type", "idempotency_key_reused"]))),
)]
pub async fn create(
    State(app): State<Shared>,
    caller: Caller,
    query: Result<Query<NewBatchQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let key = idempotency::key(request.headers())?;
    let (mut items, given) = Items::of(request, query).await?;
    if given
        .name
        .as_ref()
        .is_some_and(|name| name.chars().count() > MAX_NAME)
    {
        return Err(Problem::invalid(format!(
            "name is longer than {MAX_NAME} characters"
        )));
    }
    if !given.options.is_null() {
        options::parse(&given.options.to_string())?;
    }
    let _permit = app.limits.upload(&app, &caller).await?;
    let now = DateTime::now();
    let life = i64::try_from(app.config.max_retention().as_millis()).unwrap_or(i64::MAX);
    let mut batch = Batch {
        id: Uuid::now_v7(),
        tenant: caller.tenant,
        name: given.name,
        created_at: now,
        idempotency_key: key,
        request_hash: None,
        total: 0,
        rejected: 0,
        errors: Vec::new(),
        complete: false,
        action: None,
        expires_at: DateTime::from_millis(now.timestamp_millis().saturating_add(life)),
    };
    if let Some(before) = begin_new(&app, &batch).await? {
        if before.complete {
            return replay(&app, before, items).await;
        }
        // It broke off, or still comes in beside this one: what it has made is not made again.
        (batch.id, batch.created_at) = (before.id, before.created_at);
    }
    let mut ready = Vec::new();
    while let Some(item) = items.next().await? {
        match item.and_then(|item| job(&app, &batch, item, &given.options)) {
            Ok(job) => ready.push(job),
            Err(problem) => reject(&mut batch, &problem),
        }
        batch.total += 1;
        if ready.len() == TOGETHER {
            store(&app, &batch, &mut ready).await?;
        }
    }
    batch.complete = true;
    batch.request_hash = batch.idempotency_key.as_ref().map(|_| items.hash());
    store(&app, &batch, &mut ready).await?;
    tracing::info!(batch = %batch.id, total = batch.total, rejected = batch.rejected, "batch made");
    let shown = shown(&app, &batch).await?;
    let headers = [(header::LOCATION, location(&batch))];
    Ok((StatusCode::ACCEPTED, headers, shown).into_response())
}

/// Stores a new batch; or gives the one that its key has made.
async fn begin_new(app: &Shared, batch: &Batch) -> Result<Option<Batch>, Problem> {
    loop {
        match app.db.insert_batch(batch).await {
            Err(DbError::Duplicate) => {}
            done => return Ok(done.map(|()| None)?),
        }
        let key = batch.idempotency_key.as_deref().unwrap_or_default();
        match app.db.batch_with_key(&batch.tenant, key).await {
            // It has just been taken from it.
            Err(DbError::NotFound) => {}
            Ok(before) if idempotency::is_over(before.created_at) => {
                app.db.release_batch_key(&before).await?;
            }
            found => return Ok(found.map(Some)?),
        }
    }
}

/// The answer to a request that made a batch before, when this one is the same.
async fn replay(app: &Shared, before: Batch, mut items: Items) -> Result<Response, Problem> {
    while items.next().await?.is_some() {}
    idempotency::same(before.request_hash.as_deref(), Some(&items.hash()))?;
    let shown = shown(app, &before).await?;
    let headers = [(header::LOCATION, location(&before))];
    Ok((StatusCode::ACCEPTED, headers, [idempotency::REPLAYED], shown).into_response())
}

fn location(batch: &Batch) -> String {
    format!("/api/v1/batches/{}", batch.id)
}

fn job(app: &Shared, batch: &Batch, item: ByReference, defaults: &Value) -> Result<Job, Problem> {
    if batch.total >= MAX_ITEMS {
        return Err(Problem::invalid(format!("a batch has {MAX_ITEMS} items at most")));
    }
    let mut job = item.job(&app.config, &batch.tenant, defaults)?;
    job.id = batch.job_id(batch.total);
    job.batch_id = Some(batch.id.to_string());
    job.lane = Lane::Batch;
    job.options.lane = Lane::Batch;
    Ok(job)
}

fn reject(batch: &mut Batch, problem: &Problem) {
    batch.rejected += 1;
    if batch.errors.len() < MAX_ERRORS {
        batch.errors.push(ItemError {
            index: batch.total,
            code: problem.code().as_str().to_owned(),
            detail: problem.detail().to_owned(),
        });
    }
}

async fn store(app: &Shared, batch: &Batch, ready: &mut Vec<Job>) -> Result<(), Problem> {
    if !ready.is_empty() {
        app.db.insert_all(std::mem::take(ready)).await?;
        app.fetches.notify_one();
    }
    Ok(app.db.put_batch(batch).await?)
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
pub async fn get(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let batch = own(&app, &caller, &id).await?;
    shown(&app, &batch).await
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
pub async fn cancel(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    begin(app, caller, &id, ActionKind::Cancel).await
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
pub async fn retry(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    begin(app, caller, &id, ActionKind::Retry).await
}

async fn begin(app: Shared, caller: Caller, id: &str, kind: ActionKind) -> Result<Response, Problem> {
    let mut batch = own(&app, &caller, id).await?;
    act::begin(&app, &mut batch, kind).await?;
    let shown = shown(&app, &batch).await?;
    Ok((StatusCode::ACCEPTED, shown).into_response())
}

async fn own(app: &Shared, caller: &Caller, id: &str) -> Result<Batch, Problem> {
    let none = || Problem::new(Code::NotFound, "there is no batch with this id");
    let id = id.parse().map_err(|_| none())?;
    match app.db.batch(&caller.tenant, id).await {
        Err(crate::db::DbError::NotFound) => Err(none()),
        found => Ok(found?),
    }
}

async fn shown(app: &Shared, batch: &Batch) -> Result<Response, Problem> {
    let now = DateTime::now().timestamp_millis();
    let window = RATE_WINDOW.as_secs_f64();
    let since = now - RATE_WINDOW.as_millis() as i64;
    let counts = app.db.counts(batch, DateTime::from_millis(since)).await?;
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
