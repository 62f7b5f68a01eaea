//! Jobs: read, listed, cancelled, tried again, deleted.

use vidp_pipeline::{Shared, advance, cancel, sweeper};
use crate::{auth::Caller, http::{cursor, problem::Problem}};
use vidp_record::{plan, changes::Change, db::{Filter, Updated}, job::{Job, JobStatus}, time::DateTime, view::{self, JobView}};
use axum::{Json, extract::{Path, Query, State, rejection::QueryRejection}, http::{HeaderMap, StatusCode, header}, response::{IntoResponse, Response}};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Longest wait of a long poll.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// A long poll looks by itself this often, should the change stream be late.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Longest text that is looked for: that of a file name, nearly.
const MAX_SEARCH: usize = 200;

/// Query of [`get`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// Seconds to wait for a change, 60 at most.
    #[serde(default)]
    #[param(minimum = 0, example = 20)]
    wait: f64,
}

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those with this status.
    #[param(inline, example = "running")]
    status: Option<JobStatus>,
    /// Only those with this id of the client's own.
    #[param(example = "film-7")]
    external_id: Option<String>,
    /// Only those with this text in the file name, the id or one of the client's ids, in upper or lower case; 200
    /// characters at most.
    #[param(max_length = 200, example = "holiday")]
    search: Option<String>,
    /// Only those of this batch.
    #[param(example = "0198c2a4-0c55-7b02-b7a4-91c3d2e4f5a6")]
    batch_id: Option<String>,
    /// Only those created after this time.
    #[param(format = DateTime, example = "2026-05-04T09:00:00Z")]
    created_after: Option<String>,
    /// Only those created before this time.
    #[param(format = DateTime, example = "2026-05-05T09:00:00Z")]
    created_before: Option<String>,
    /// Jobs on a page; 20 when it is left out.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[param(example = "AQGYwqRvC31ejBovTm2LCpE")]
    cursor: Option<String>,
}

impl ListQuery {
    /// What a client of this tenant wants, and how many on a page: the filter finds one more, which tells whether there
    /// is a next page.
    fn filter(self, tenant: String) -> Result<(Filter, u32), Problem> {
        let limit = cursor::limit(self.limit)?;
        let search = self.search.filter(|text| !text.is_empty());
        if search
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_SEARCH)
        {
            return Err(Problem::invalid(format!(
                "search takes {MAX_SEARCH} characters at most"
            )));
        }
        let filter = Filter {
            tenant,
            status: self.status,
            external_id: self.external_id,
            search,
            batch_id: self.batch_id,
            created_after: time("created_after", self.created_after)?,
            created_before: time("created_before", self.created_before)?,
            behind: self.cursor.as_deref().map(cursor::parse).transpose()?,
            limit: i64::from(limit) + 1,
            ..Filter::default()
        };
        Ok((filter, limit))
    }
}

/// A page of jobs, newest first.
#[derive(Serialize, ToSchema)]
pub struct JobList<'a> {
    data: Vec<JobView<'a>>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A job id in a path; what is no id names no job.
pub fn parse_id(id: &str) -> Result<Uuid, Problem> {
    id.parse().map_err(|_| Problem::no_job())
}

/// The id in a path of a request that changes a job, once the job is known to be the caller's.
pub async fn own(app: &Shared, caller: &Caller, id: &str) -> Result<Uuid, Problem> {
    Ok(app.db.get(&caller.tenant, parse_id(id)?).await?.id)
}

/// A query, or what is wrong with it.
pub fn checked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(error) => Err(Problem::invalid(error.body_text())),
    }
}

/// Get a job, or wait for a change of it.
///
/// With `wait`, answers as soon as the job differs from what the client has (`If-None-Match`) or, without that, from
/// what it was at the request. An ended job is answered at once.
#[utoipa::path(
    get, path = "", operation_id = "getJob", tag = "Jobs",
    params(
        ("id" = Uuid, Path, description = "The job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        Wait,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that the client has.", example = "\"3\""),
    ),
    responses(
        (status = 200, description = "The job.", body = JobView, headers(
            ("ETag" = String, description = "Changes with the job."),
            ("Retry-After" = Option<u32>, description = "Seconds until the next poll makes sense; none of an ended job."),
        )),
        (status = 304, description = "It has not changed.", headers(("ETag" = String, description = "As it was sent."))),
    ),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn get(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<Wait>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let wait = checked(query)?.wait;
    let wait = Duration::try_from_secs_f64(wait.min(MAX_WAIT.as_secs_f64()))
        .map_err(|_| Problem::invalid("wait must be a number of seconds"))?;
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tag| tag.to_str().ok())
        .map(str::to_owned);
    let job = wait_for_change(&app, &caller.tenant, id, known.as_deref(), Instant::now() + wait).await?;
    let tag = etag(&job);
    let mut response = if known.as_deref() == Some(tag.as_str()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(view::job(&job)).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-cache"),
    );
    if let Ok(tag) = tag.parse() {
        headers.insert(header::ETAG, tag);
    }
    if !job.status.is_terminal() {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    Ok(response)
}

async fn wait_for_change(
    app: &Shared,
    tenant: &str,
    id: Uuid,
    known: Option<&str>,
    until: Instant,
) -> Result<Job, Problem> {
    // Before the first look, so that no change falls between the look and the wait.
    let mut changes = app.changes.subscribe();
    let mut job = app.db.get(tenant, id).await?;
    let known = known.map_or_else(|| etag(&job), str::to_owned);
    while etag(&job) == known && !job.status.is_terminal() && Instant::now() < until {
        let look = async {
            // A receiver that lags has missed some changes, perhaps this job's: look as well.
            let other = |change| match change {
                Change::Stored(_, job) => job.id != id,
                Change::Quiet(_) => true,
                Change::Gap => false,
            };
            while changes.recv().await.is_ok_and(other) {}
        };
        tokio::select! {
            () = look => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = tokio::time::sleep_until(until) => {}
            () = app.shutdown.cancelled() => return Ok(job),
        }
        job = app.db.get(tenant, id).await?;
    }
    Ok(job)
}

/// The tag of a job's present state.
pub fn etag(job: &Job) -> String {
    format!("\"{}\"", job.rev)
}

/// A time in a query.
fn time(name: &str, text: Option<String>) -> Result<Option<DateTime>, Problem> {
    let parse = |text: String| {
        DateTime::parse_rfc3339_str(&text)
            .map_err(|_| Problem::invalid(format!("{name} must be a time as in RFC 3339, not {text:?}")))
    };
    text.map(parse).transpose()
}

/// List jobs.
///
/// Newest first, a page at a time. Jobs that come meanwhile do not shift the pages.
#[utoipa::path(
    get, path = "", operation_id = "listJobs", tag = "Jobs", params(ListQuery),
    responses((status = 200, description = "A page.", body = JobList)),
)]
pub async fn list(
    State(app): State<Shared>,
    caller: Caller,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let (filter, limit) = checked(query)?.filter(caller.tenant)?;
    let (jobs, next_cursor) = cursor::page(app.db.list(filter).await?, limit, |job| job.id);
    let data = jobs.iter().map(view::job).collect();
    Ok(Json(JobList { data, next_cursor }).into_response())
}

/// Cancel a job.
///
/// Ends it; what is done stays.
#[utoipa::path(
    post, path = "", operation_id = "cancelJob", tag = "Jobs",
    params(("id" = Uuid, Path, description = "The job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 200, description = "The job as it ended.", body = JobView)),
    extensions(("x-problems" = json!(["not_found", "conflict"]))),
)]
pub async fn cancel(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = own(&app, &caller, &id).await?;
    match cancel::cancel(&app, id).await? {
        Updated::Changed(job) => Ok(Json(view::job(&job)).into_response()),
        Updated::Unchanged(job) => Err(Problem::conflict(format!(
            "the job has ended already: {}",
            job.status
        ))),
    }
}

/// Try a job again.
///
/// Runs its failed and cancelled stages, and no others.
#[utoipa::path(
    post, path = "", operation_id = "retryJob", tag = "Jobs",
    params(("id" = Uuid, Path, description = "The job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 202, description = "The job, which goes on.", body = JobView)),
    extensions(("x-problems" = json!(["not_found", "conflict"]))),
)]
pub async fn retry(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = own(&app, &caller, &id).await?;
    let change = |job: &mut Job| plan::retried(job, app.times(), DateTime::now());
    match dispatch::update(&app, id, change).await? {
        Updated::Changed(job) => Ok((StatusCode::ACCEPTED, Json(view::job(&job))).into_response()),
        Updated::Unchanged(job) => Err(Problem::conflict(match job.status {
            status if !status.is_terminal() => format!("the job has not ended: {status}"),
            _ if job.source.sha256.is_empty() => "the upload was never completed".to_owned(),
            status => format!("no stage has failed: {status}"),
        })),
    }
}

/// Delete an ended job.
///
/// Removes it with its source and all outputs.
#[utoipa::path(
    delete, path = "", operation_id = "deleteJob", tag = "Jobs",
    params(("id" = Uuid, Path, description = "The job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 204, description = "It is gone.")),
    extensions(("x-problems" = json!(["not_found", "conflict"]))),
)]
pub async fn delete(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = own(&app, &caller, &id).await?;
    let work = app.commits.clone();
    // Not half a deletion when the client hangs up.
    let deletion = work.spawn(async move { sweep::delete(&app, id).await });
    match deletion.await.map_err(Problem::internal)?? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::conflict("the job has not ended: cancel it first")),
    }
}
