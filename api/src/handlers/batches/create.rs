//! A batch is made: its items are read one after the other, and stored as jobs as they come.

use super::{
    BatchView,
    items::{Items, NewBatchQuery},
    shown,
};
use crate::{
    auth::Caller,
    handlers::jobs::by_reference::ByReference,
    http::{extract::Params, idempotency, options, problem::Problem},
    state::Intake,
};
use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use utoipa::ToSchema;
use vidp_contract::{JobOptions, Lane};
use vidp_pipeline::advance;
use vidp_record::{
    batch::{Batch, ItemError},
    db::{Db, DbError},
    job::Job,
};

/// Most items of a batch; those behind are refused one by one.
const MAX_ITEMS: u32 = 10_000;
/// Jobs that are stored together.
const JOBS_PER_INSERT: usize = 200;
/// Errors that are kept; the others are counted.
const MAX_ERRORS: usize = 100;
/// Longest name in characters.
const MAX_NAME: usize = 256;

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
    State(intake): State<Intake>,
    caller: Caller,
    Params(query): Params<NewBatchQuery>,
    request: Request,
) -> Result<Response, Problem> {
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
    let _permit = intake.limits.upload(&intake.pipeline.db, &caller).await?;
    let db = &intake.pipeline.db;
    let mut batch = Batch::new(caller.tenant, given.name, key, intake.config.max_retention());
    if let Some(before) = begin_new(db, &batch).await? {
        if before.complete {
            return replay(db, before, items).await;
        }
        // It broke off, or still comes in beside this one: what it has made is not made again.
        (batch.id, batch.created_at) = (before.id, before.created_at);
    }
    let mut ready = Vec::new();
    while let Some(item) = items.next().await? {
        match item.and_then(|item| job(&intake, &batch, item, &given.options)) {
            Ok(job) => ready.push(job),
            Err(problem) => reject(&mut batch, &problem),
        }
        batch.total += 1;
        if ready.len() == JOBS_PER_INSERT {
            store(&intake, &batch, &mut ready).await?;
        }
    }
    batch.complete = true;
    batch.request_hash = batch.idempotency_key.as_ref().map(|_| items.hash());
    store(&intake, &batch, &mut ready).await?;
    tracing::info!(batch = %batch.id, total = batch.total, rejected = batch.rejected, "batch made");
    accepted(db, &batch, false).await
}

/// 202 with the batch and its place.
async fn accepted(db: &Db, batch: &Batch, replayed: bool) -> Result<Response, Problem> {
    let location = format!("/api/v1/batches/{}", batch.id);
    let replayed = replayed.then_some([idempotency::REPLAYED]);
    let shown = shown(db, batch).await?;
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        replayed,
        shown,
    )
        .into_response())
}

/// Stores a new batch; or gives the one that its key has made.
async fn begin_new(db: &Db, batch: &Batch) -> Result<Option<Batch>, Problem> {
    loop {
        match db.insert_batch(batch).await {
            Err(DbError::Duplicate) => {}
            done => return Ok(done.map(|()| None)?),
        }
        let key = batch.idempotency_key.as_deref().unwrap_or_default();
        match db.batch_with_key(&batch.tenant, key).await {
            // It has just been taken from it.
            Err(DbError::NotFound) => {}
            Ok(before) if idempotency::is_over(before.created_at) => {
                db.release_batch_key(&before).await?;
            }
            found => return Ok(found.map(Some)?),
        }
    }
}

/// The answer to a request that made a batch before, when this one is the same.
async fn replay(db: &Db, before: Batch, mut items: Items) -> Result<Response, Problem> {
    while items.next().await?.is_some() {}
    idempotency::same(before.request_hash.as_deref(), Some(&items.hash()))?;
    accepted(db, &before, true).await
}

fn job(intake: &Intake, batch: &Batch, item: ByReference, defaults: &Value) -> Result<Job, Problem> {
    if batch.total >= MAX_ITEMS {
        return Err(Problem::invalid(format!("a batch has {MAX_ITEMS} items at most")));
    }
    let mut job = item.job(&intake.config, &batch.tenant, defaults)?;
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

async fn store(intake: &Intake, batch: &Batch, ready: &mut Vec<Job>) -> Result<(), Problem> {
    if !ready.is_empty() {
        advance::insert_all(&intake.pipeline, std::mem::take(ready)).await?;
    }
    Ok(intake.pipeline.db.put_batch(batch).await?)
}
