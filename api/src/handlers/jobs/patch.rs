//! `PATCH /jobs/{id}`: changes what is the client's own: metadata, and how long the job is kept. JSON Merge Patch, RFC
//! 7396.

use crate::http::{
    etag::{etag, matches},
    extract::Owned,
    merge_patch, options,
    problem::{Code, Problem},
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use vidp_contract::{Timestamp, merge_patch as merge};
use vidp_pipeline::{Shared, advance};
use vidp_record::{
    db::Updated,
    job::Job,
    plan,
    time::DateTime,
    view::{self, JobView},
};

/// What may be changed.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobPatch)]
struct Own {
    /// Its names are merged into those there are; null removes one.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// Days that the job is kept after its end; takes the place of `expires_at`.
    #[schema(minimum = 1)]
    retention_days: Option<u32>,
    /// Until when it is kept; takes the place of `retention_days`.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Change a job's metadata, or how long it is kept.
///
/// JSON Merge Patch (RFC 7396): what is left out stays, null removes.
#[utoipa::path(
    patch, path = "", operation_id = "patchJob", tag = "Jobs",
    params(
        ("id" = Uuid, Path, description = "The job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the state that is to be changed.",
            example = "\"3\""),
    ),
    request_body(content = Own, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The job as it is now.", body = JobView,
        headers(("ETag" = String, description = "Changes with the job.")))),
    extensions(("x-problems" = json!(["not_found", "precondition_failed", "unsupported_content_type"]))),
)]
pub async fn patch(
    State(pipeline): State<Shared>,
    Owned(job): Owned<Job>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let wanted = match merge_patch::read(&headers, body)? {
        Ok(patch) => patch,
        Err(refused) => return Ok(refused),
    };
    let condition = headers.get(header::IF_MATCH).and_then(|tags| tags.to_str().ok());
    let mut refused = None;
    let change = |job: &mut Job| {
        refused = None;
        let met = condition.is_none_or(|tags| matches(tags, &etag(job)));
        if !met {
            refused = Some(Problem::new(
                Code::PreconditionFailed,
                "the job has changed meanwhile",
            ));
            return false;
        }
        match patched(job, &wanted) {
            Ok(own) => {
                job.metadata = own.metadata.clone();
                job.options.metadata = own.metadata;
                plan::set_retention(
                    job,
                    own.retention_days,
                    own.expires_at,
                    pipeline.times(),
                    DateTime::now(),
                );
                true
            }
            Err(problem) => {
                refused = Some(problem);
                false
            }
        }
    };
    let (Updated::Changed(job) | Updated::Unchanged(job)) =
        advance::update(&pipeline, job.id, change).await?;
    match refused {
        Some(problem) => Err(problem),
        None => Ok(([(header::ETAG, etag(&job))], Json(view::job(&job))).into_response()),
    }
}

fn patched(job: &Job, wanted: &Map<String, Value>) -> Result<Own, Problem> {
    let mut own = Own {
        metadata: job.metadata.clone(),
        retention_days: job.options.retention_days,
        expires_at: job.options.expires_at,
    };
    // One way to say how long takes the place of the other.
    if wanted.contains_key("retention_days") {
        own.expires_at = None;
    }
    if wanted.contains_key("expires_at") {
        own.retention_days = None;
    }
    let mut value = serde_json::to_value(own).map_err(Problem::internal)?;
    merge(&mut value, Value::Object(wanted.clone()));
    let own: Own = serde_json::from_value(value).map_err(|error| Problem::invalid(error.to_string()))?;
    options::check_metadata(&own.metadata)
        .and_then(|()| options::check_retention(own.retention_days, own.expires_at))
        .map_err(Problem::invalid)?;
    Ok(own)
}
