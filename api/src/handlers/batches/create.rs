//! `POST /batches`: reads the items one after another and stores their jobs as the items arrive.

use super::{
    document::MAX_ITEMS,
    items::{Items, NewBatchQuery},
    view::{self, BatchView},
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
    db::{Db, DbError, Open},
    job::Job,
};

/// Jobs per insert into the database.
const JOBS_PER_INSERT: usize = 200;
/// Most errors that a batch stores. Further errors are only counted.
const MAX_ERRORS: usize = 100;
/// Longest name of a batch, in characters.
const MAX_NAME: usize = 256;

/// A batch as one JSON document.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only for the OpenAPI document: items are read one by one"
)]
pub(crate) struct NewBatch {
    /// Name for people.
    #[schema(max_length = 256)]
    name: Option<String>,
    /// Options of all items. The options of an item take precedence.
    options: Option<JobOptions>,
    /// The items: one job each.
    #[schema(max_items = 10_000)]
    items: Vec<ByReference>,
}

/// Create a batch of jobs.
///
/// Creates a job for each item, in the lane `batch`, so that interactive uploads are served first. An invalid item does
/// not affect the others; the answer lists the errors. Send a long list as lines of JSON (`application/x-ndjson`), one
/// item per line: the items are stored as they arrive.
#[utoipa::path(
    post, path = "", operation_id = "createBatch", tag = "Batches",
    params(
        NewBatchQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "All requests with this key within 24 hours create a \
            single batch; a repeated request resumes an interrupted one.", example = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\""),
    ),
    request_body(content((NewBatch = "application/json"), (ByReference = "application/x-ndjson"))),
    responses((status = 202, description = "The batch; its jobs are stored.", body = BatchView,
        headers(
            ("Location" = String, description = "URL of the batch."),
            ("Idempotent-Replayed" = Option<String>, description = "`true` when an earlier request created this batch."),
        ),
        links(("batch" = (operation_id = "getBatch", parameters(("id" = "$response.body#/id"))))))),
    extensions(("x-problems" = json!(["too_many_uploads", "quota_exceeded", "upload_too_large", "too_slow", "unsupported_content_type", "idempotency_key_reused"]))),
)]
pub(crate) async fn create(
    State(intake): State<Intake>,
    caller: Caller,
    Params(query): Params<NewBatchQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let key = idempotency::key(request.headers())?;
    // Before the body is received: a document is in memory as a whole.
    let _permit = intake.limits.upload(&intake.pipeline, &caller, 0).await?;
    let _batch = intake.limits.batch(&caller)?;
    let (mut items, common) = Items::open(request, query, intake.config.min_upload_kib_per_second).await?;
    if common
        .name
        .as_ref()
        .is_some_and(|name| name.chars().count() > MAX_NAME)
    {
        return Err(Problem::invalid(format!(
            "name must have at most {MAX_NAME} characters"
        )));
    }
    if !common.options.is_null() {
        options::parse(&common.options.to_string())?;
    }
    let db = &intake.pipeline.db;
    let mut batch = Batch::new(
        caller.tenant.clone(),
        common.name,
        key,
        intake.config.max_retention(),
    );
    if let Some(before) = begin_new(db, &batch).await? {
        if before.complete {
            return replay(db, before, items).await;
        }
        // The earlier request was interrupted or is still being received. The ids of the jobs follow from the id of the
        // batch, so that the jobs that it has stored are not stored twice.
        (batch.id, batch.created_at) = (before.id, before.created_at);
    }
    let mut ready = Vec::new();
    while let Some(item) = items.next().await? {
        match item.and_then(|item| new_job(&intake, &batch, item, &common.options)) {
            Ok(job) => ready.push(job),
            Err(problem) => reject(&mut batch, &problem),
        }
        batch.total += 1;
        if ready.len() == JOBS_PER_INSERT {
            store(&intake, &caller, &batch, &mut ready).await?;
        }
    }
    batch.complete = true;
    batch.request_hash = batch.idempotency_key.as_ref().map(|_| items.hash());
    store(&intake, &caller, &batch, &mut ready).await?;
    tracing::info!(batch = %batch.id, total = batch.total, rejected = batch.rejected, "batch created");
    accepted(db, &batch, false).await
}

/// 202 with the batch and its URL.
async fn accepted(db: &Db, batch: &Batch, replayed: bool) -> Result<Response, Problem> {
    let location = [(header::LOCATION, format!("/api/v1/batches/{}", batch.id))];
    let replayed = replayed.then_some([idempotency::REPLAYED]);
    let body = view::batch(db, batch).await?;
    Ok((StatusCode::ACCEPTED, location, replayed, body).into_response())
}

/// Stores a new batch and returns `None`, or returns the batch that an earlier request with the same key created.
async fn begin_new(db: &Db, batch: &Batch) -> Result<Option<Batch>, Problem> {
    loop {
        match db.insert_batch(batch).await {
            Err(DbError::Duplicate) => {}
            done => return Ok(done.map(|()| None)?),
        }
        let key = batch.idempotency_key.as_deref().unwrap_or_default();
        match db.batch_with_key(&batch.tenant, key).await {
            // Another request has just released the key: try again.
            Err(DbError::NotFound) => {}
            Ok(before) if idempotency::is_over(before.created_at) => {
                db.release_batch_key(&before).await?;
            }
            found => return Ok(found.map(Some)?),
        }
    }
}

/// The answer to a repeated request; 422 when it differs from the request that created the batch.
async fn replay(db: &Db, before: Batch, mut items: Items) -> Result<Response, Problem> {
    while items.next().await?.is_some() {}
    idempotency::same(before.request_hash.as_deref(), Some(&items.hash()))?;
    accepted(db, &before, true).await
}

/// The job of an item, checked but not stored.
fn new_job(intake: &Intake, batch: &Batch, item: ByReference, defaults: &Value) -> Result<Job, Problem> {
    if batch.total >= MAX_ITEMS {
        return Err(Problem::invalid(format!("a batch has at most {MAX_ITEMS} items")));
    }
    let mut job = item.job(&intake.config, &batch.tenant, defaults)?;
    job.id = batch.job_id(batch.total);
    job.batch_id = Some(batch.id.to_string());
    job.lane = Lane::Batch;
    job.options.lane = Lane::Batch;
    Ok(job)
}

/// Counts an invalid item and stores its error.
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

/// Stores jobs, then the progress of the batch.
///
/// # Errors
/// 429 when the jobs would pass the tenant's quota. The batch stays incomplete, and its stored jobs run.
async fn store(intake: &Intake, caller: &Caller, batch: &Batch, ready: &mut Vec<Job>) -> Result<(), Problem> {
    if !ready.is_empty() {
        let new = Open {
            jobs: ready.len() as u64,
            bytes: 0,
        };
        intake.limits.admit(&intake.pipeline, caller, new).await?;
        advance::insert_all(&intake.pipeline, std::mem::take(ready)).await?;
    }
    Ok(intake.pipeline.db.put_batch(batch).await?)
}
