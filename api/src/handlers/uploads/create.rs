//! `POST /uploads`: opens an upload session in the object store.

use super::{
    parts,
    view::{self, UploadView},
};
use crate::{
    auth::Caller,
    http::{
        body,
        digest::wanted_hash,
        idempotency::{self, Begun},
        options,
        problem::Problem,
    },
    state::{Intake, PublicStore},
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::{JobOptions, TraceParent};
use vidp_record::{
    job::Job,
    source::{Direct, plain_name, plain_type},
    time::{DateTime, later},
};

/// Content type of a file whose client names none.
const DEFAULT_TYPE: &str = "application/octet-stream";

/// The file that the client is going to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUpload {
    /// Name of the file.
    #[schema(max_length = 255)]
    filename: String,
    /// Size of the file in bytes. `complete` fails when the stored size differs.
    #[schema(minimum = 1)]
    size: u64,
    /// Expected SHA-256 of the file in hexadecimal. The job fails with `source_corrupt` when the file has another hash.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: Option<String>,
    /// Content type of the file.
    #[schema(default = "application/octet-stream", max_length = 100)]
    content_type: Option<String>,
    /// Options of the job.
    #[schema(value_type = Option<JobOptions>)]
    options: Option<Value>,
}

/// Start an upload to the object store.
///
/// Returns a presigned URL for each part. PUT the parts in any order, each with exactly its size; a PUT may be repeated.
/// Then call `complete`, which ends the URLs.
#[utoipa::path(
    post, path = "", operation_id = "createUpload", tag = "Uploads", request_body = NewUpload,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "All requests with this key within 24 hours start a \
            single upload.", example = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\""),
    ),
    responses((status = 201, description = "The upload and its presigned URLs.", body = UploadView,
        headers(
            ("Location" = String, description = "URL of the upload."),
            ("Idempotent-Replayed" = Option<String>, description = "`true` when an earlier request started this upload."),
        ),
        links(
            ("upload" = (operation_id = "getUpload", parameters(("id" = "$response.body#/id")))),
            ("complete" = (operation_id = "completeUpload", parameters(("id" = "$response.body#/id")))),
            ("delete" = (operation_id = "deleteUpload", parameters(("id" = "$response.body#/id")))),
        ))),
    extensions(("x-problems" = json!(["upload_too_large", "quota_exceeded", "too_many_uploads", "not_found",
        "unsupported_content_type", "idempotency_conflict", "idempotency_key_reused"]))),
)]
pub(crate) async fn create(
    State(intake): State<Intake>,
    State(public_store): State<PublicStore>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let idempotency_key = idempotency::key(&headers)?;
    let (mut job, size) = new_job(&intake, &caller, body::json(&headers, body)?)?;
    let _permit = intake.limits.upload(&intake.pipeline, &caller, size).await?;
    let pipeline = &intake.pipeline;
    pipeline.store.check().await?;
    if idempotency_key.is_some() {
        let request = (&job.options, &job.source, size);
        job.request_hash = Some(idempotency::request_hash(&request)?);
        job.idempotency_key = idempotency_key;
    }
    // From now on the announced bytes count for the tenant's quotas.
    job.source.size = size.cast_signed();
    // The record is stored first, so that the sweeper finds the upload if this process dies.
    let replayed = match idempotency::begin(pipeline, &job).await? {
        Begun::New => None,
        Begun::Existing(before) => {
            job = idempotency::replay(*before, &job)?;
            Some([idempotency::REPLAYED])
        }
    };
    job = parts::open(pipeline, job).await?;
    let location = [(header::LOCATION, format!("/api/v1/uploads/{}", job.id))];
    let upload = Json(view::upload(&public_store, &job).await?);
    Ok((StatusCode::CREATED, location, replayed, upload).into_response())
}

/// Checks the request; returns the job of the upload, which is not stored yet, and the size of the file in bytes.
fn new_job(intake: &Intake, caller: &Caller, new: NewUpload) -> Result<(Job, u64), Problem> {
    if new.size == 0 {
        return Err(Problem::invalid("size must be at least 1"));
    }
    if new.size > intake.config.max_upload() {
        return Err(Problem::too_large(intake.config.max_upload_mb));
    }
    let wanted_sha256 = wanted_hash(new.sha256)?;
    let options = match new.options {
        None | Some(Value::Null) => JobOptions::default(),
        Some(given) => options::parse(&given.to_string())?,
    };
    let content_type = plain_type(new.content_type.as_deref().unwrap_or(DEFAULT_TYPE));
    let (id, now) = (Uuid::now_v7(), DateTime::now());
    let name = plain_name(&new.filename);
    let mut job = Job::uploading(id, caller.tenant.clone(), options, name, content_type, now);
    job.trace = Some(TraceParent::of_job(id));
    job.source.wanted_sha256 = wanted_sha256;
    job.direct = Some(Direct {
        size: new.size.cast_signed(),
        upload_id: None,
        expires_at: later(now, intake.config.direct_upload()),
    });
    Ok((job, new.size))
}
