//! `GET /jobs/{id}`: returns a job at once, or when it changes (long poll).

use crate::{
    auth::Caller,
    http::{
        etag::ETag,
        extract::{Params, job_id},
        problem::Problem,
    },
    limits::{Limits, StreamPermit},
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use utoipa::IntoParams;
use uuid::Uuid;
use vidp_pipeline::{Pipeline, Shared};
use vidp_record::{
    changes::Change,
    job::Job,
    view::{self, JobView},
};

/// Longest wait of a long poll.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Interval at which a long poll reads the job, in case the change stream is late.
const REREAD_INTERVAL: Duration = Duration::from_secs(2);

/// Query of [`get`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wait {
    /// Seconds to wait for a change. Maximum: 60. Default: 0.
    #[serde(default)]
    #[param(minimum = 0, example = 20)]
    wait: f64,
}

/// Get a job.
///
/// With `wait`, the server answers as soon as the job differs from the client's version (`If-None-Match`) or, without that
/// header, when the job changes after the request. The request for an ended job returns at once.
#[utoipa::path(
    get, path = "", operation_id = "getJob", tag = "Jobs",
    params(
        ("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        Wait,
        ("If-None-Match" = Option<String>, Header, description = "`ETag`s of the client's versions.", example = "\"3\""),
    ),
    responses(
        (status = 200, description = "The job.", body = JobView, headers(
            ("ETag" = String, description = "Version of the job."),
            ("Retry-After" = Option<u32>, description = "Seconds until the next poll is useful; absent for an ended job."),
        )),
        (status = 304, description = "The job has not changed.", headers(("ETag" = String, description = "Version of the job."))),
    ),
    extensions(("x-problems" = json!(["not_found", "too_many_streams"]))),
)]
pub(crate) async fn get(
    State(pipeline): State<Shared>,
    State(limits): State<Arc<Limits>>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<Wait>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let wait = Duration::try_from_secs_f64(query.wait.min(MAX_WAIT.as_secs_f64()))
        .map_err(|_| Problem::invalid("wait must be a number of seconds, 0 or more"))?;
    let _permit = match wait.is_zero() {
        true => StreamPermit::default(),
        false => limits.stream(&caller)?,
    };
    let job = wait_for_change(&pipeline, &caller.tenant, id, &headers, Instant::now() + wait).await?;
    let tag = ETag::of_job(&job);
    let mut response = if tag.is_known(&headers) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(view::job(&job)).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-cache"),
    );
    headers.insert(header::ETAG, tag.value());
    if !job.status.is_terminal() {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    Ok(response)
}

/// The job, as soon as it differs from the versions in `If-None-Match`, has ended, or the time `until` is reached. Without
/// that header, it differs from the version at the time of the request.
async fn wait_for_change(
    pipeline: &Pipeline,
    tenant: &str,
    id: Uuid,
    headers: &HeaderMap,
    until: Instant,
) -> Result<Job, Problem> {
    // Subscribe before the first read, so that no change is missed between the read and the wait.
    let mut changes = pipeline.changes.subscribe();
    let mut job = pipeline.db.get(tenant, id).await?;
    let first = job.rev;
    let is_known = |job: &Job| match headers.contains_key(header::IF_NONE_MATCH) {
        true => ETag::of_job(job).is_known(headers),
        false => job.rev == first,
    };
    while is_known(&job) && !job.status.is_terminal() && Instant::now() < until {
        let changed = async {
            // A receiver that lags may have missed a change of this job, so it reads the job too.
            let other = |change| match change {
                Change::Stored(_, job) => job.id != id,
                Change::Quiet(_) => true,
                Change::Gap => false,
            };
            while changes.recv().await.is_ok_and(other) {}
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(REREAD_INTERVAL) => {}
            () = tokio::time::sleep_until(until) => {}
            () = pipeline.shutdown.cancelled() => return Ok(job),
        }
        job = pipeline.db.get(tenant, id).await?;
    }
    Ok(job)
}
