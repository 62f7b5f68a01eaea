//! `PATCH /jobs/{id}`: changes the metadata and the retention of a job by a JSON Merge Patch (RFC 7396).

use crate::http::{
    etag::ETag,
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

/// A JSON Merge Patch of a job.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct JobPatch {
    /// Members to set in `metadata`. Null removes a member.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// Days for which the job is stored after its end. Replaces `expires_at`.
    #[schema(minimum = 1)]
    retention_days: Option<u32>,
    /// When the job expires. Replaces `retention_days`.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Change the metadata or the retention of a job.
///
/// The body is a JSON Merge Patch (RFC 7396): omitted members do not change, null removes a member.
#[utoipa::path(
    patch, path = "", operation_id = "patchJob", tag = "Jobs",
    params(
        ("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version to change.",
            example = "\"3\""),
    ),
    request_body(content = JobPatch, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed job.", body = JobView,
        headers(("ETag" = String, description = "Version of the job.")))),
    extensions(("x-problems" = json!(["not_found", "precondition_failed", "unsupported_content_type"]))),
)]
pub(crate) async fn patch(
    State(pipeline): State<Shared>,
    Owned(job): Owned<Job>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let wanted = match merge_patch::read(&headers, body)? {
        Ok(patch) => patch,
        Err(refusal) => return Ok(refusal),
    };
    let mut refused = None;
    let change = |job: &mut Job| {
        refused = None;
        if !ETag::of_job(job).is_wanted(&headers) {
            refused = Some(Problem::new(
                Code::PreconditionFailed,
                "the job has changed since the version in If-Match",
            ));
            return false;
        }
        match patched(job, &wanted) {
            Ok(patched) => {
                job.metadata = patched.metadata.clone();
                job.options.metadata = patched.metadata;
                plan::set_retention(
                    job,
                    patched.retention_days,
                    patched.expires_at,
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
        None => Ok((
            [(header::ETAG, ETag::of_job(&job).value())],
            Json(view::job(&job)),
        )
            .into_response()),
    }
}

/// The values of a job after a patch.
fn patched(job: &Job, wanted: &Map<String, Value>) -> Result<JobPatch, Problem> {
    let mut values = JobPatch {
        metadata: job.metadata.clone(),
        retention_days: job.options.retention_days,
        expires_at: job.options.expires_at,
    };
    // Each of the two forms of retention replaces the other.
    if wanted.contains_key("retention_days") {
        values.expires_at = None;
    }
    if wanted.contains_key("expires_at") {
        values.retention_days = None;
    }
    let mut value = serde_json::to_value(values).map_err(Problem::internal)?;
    merge(&mut value, Value::Object(wanted.clone()));
    let values: JobPatch =
        serde_json::from_value(value).map_err(|error| Problem::invalid(error.to_string()))?;
    options::check_metadata(&values.metadata)
        .and_then(|()| options::check_retention(values.retention_days, values.expires_at))
        .map_err(Problem::invalid)?;
    Ok(values)
}
