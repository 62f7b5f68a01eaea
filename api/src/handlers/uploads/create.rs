//! `/api/v1/uploads`: files that clients send to the object store themselves. The job is the record of the upload: it is
//! `uploading`, and its id is the upload's, until the client says that all is there.

use crate::{
    auth::Caller,
    http::{
        digest::wanted_hash,
        extract::{Find, Owned},
        idempotency::{self, Begun},
        options,
        problem::{Code, Problem},
    },
    state::{AppState, Intake, PublicStore},
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::{JobOptions, TraceParent, keys};
use vidp_pipeline::{Shared, advance, quiet, removal};
use vidp_record::{
    db::{DbError, Updated},
    job::{Job, JobStatus},
    source::{Direct, Fetch, plain_name, plain_type},
    time::{DateTime, later},
    view::{self, JobView},
};

/// Larger files come in parts.
const ONE_PUT: u64 = 64 << 20;
/// Smallest part that is asked for; S3 takes none below 5 MiB but the last.
const PART: u64 = 64 << 20;
/// Parts of one upload: their URLs are in one answer.
const MAX_PARTS: u64 = 1000;

/// A file to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUpload {
    /// The file's name.
    #[schema(max_length = 255)]
    filename: String,
    /// Bytes; what comes must be as many.
    #[schema(minimum = 1)]
    size: u64,
    /// What the file must be: SHA-256 in hexadecimal. Another file makes the job fail as `source_corrupt`.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: Option<String>,
    #[schema(default = "application/octet-stream", max_length = 100)]
    content_type: Option<String>,
    #[schema(value_type = Option<JobOptions>)]
    options: Option<Value>,
}

/// Where a file is to be sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Upload)]
pub struct UploadView {
    /// Also the job's id.
    id: Uuid,
    /// Bytes.
    size: u64,
    /// After that the URLs are no good, and the upload is given up.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Option<String>,
    /// One for each part, in their order; of a file in one piece there is one.
    parts: Vec<PartView>,
}

/// A part of a file.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadPart)]
struct PartView {
    /// PUT the part's bytes here. A secret.
    url: String,
    /// Its first byte.
    offset: u64,
    /// Bytes.
    size: u64,
}

/// Begin an upload to the object store.
///
/// Gives presigned URLs. PUT the file, or each of its parts, to them, in any order and again if need be; then call
/// `complete`.
#[utoipa::path(
    post, path = "", operation_id = "createUpload", tag = "Uploads", request_body = NewUpload,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Begins one upload for all requests with this key \
            within 24 hours.", example = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\""),
    ),
    responses((status = 201, description = "Where to send it.", body = UploadView,
        headers(
            ("Location" = String, description = "The upload's URL."),
            ("Idempotent-Replayed" = Option<String>, description = "`true` when an earlier request began this upload."),
        ),
        links(
            ("upload" = (operation_id = "getUpload", parameters(("id" = "$response.body#/id")))),
            ("complete" = (operation_id = "completeUpload", parameters(("id" = "$response.body#/id")))),
            ("delete" = (operation_id = "deleteUpload", parameters(("id" = "$response.body#/id")))),
        ))),
    extensions(("x-problems" = json!(["upload_too_large", "quota_exceeded", "too_many_uploads", "not_found",
        "idempotency_conflict", "idempotency_key_reused"]))),
)]
pub async fn create(
    State(intake): State<Intake>,
    State(public_store): State<PublicStore>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let idempotency_key = idempotency::key(&headers)?;
    let new: NewUpload = crate::http::body::json(body)?;
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
    let kind = new.content_type.unwrap_or("application/octet-stream".to_owned());
    let kind = plain_type(&kind);
    let _permit = intake.limits.upload(&intake.pipeline.db, &caller).await?;
    let pipeline = &intake.pipeline;
    pipeline.store.check().await?;
    let (id, now) = (Uuid::now_v7(), DateTime::now());
    let name = plain_name(&new.filename);
    let mut job = Job::uploading(id, caller.tenant, options, name, kind, now);
    job.trace = Some(TraceParent::of_job(id));
    job.source.wanted_sha256 = wanted_sha256;
    job.direct = Some(Direct {
        size: new.size.cast_signed(),
        upload_id: None,
        expires_at: later(now, intake.config.direct_upload()),
    });
    if idempotency_key.is_some() {
        let request = (&job.options, &job.source, new.size);
        job.request_hash = Some(idempotency::request_hash(&request)?);
        job.idempotency_key = idempotency_key;
    }
    // The record first: whatever happens from now on, the sweeper finds it.
    let replayed = match idempotency::begin(pipeline, &job).await? {
        Begun::New => None,
        Begun::Existing(before) => {
            job = idempotency::replay(*before, &job)?;
            Some([idempotency::REPLAYED])
        }
    };
    if new.size > ONE_PUT
        && job
            .direct
            .as_ref()
            .is_some_and(|direct| direct.upload_id.is_none())
    {
        let upload_id = pipeline
            .store
            .open_multipart(&keys::source(job.id), &job.source.content_type)
            .await?;
        if let Some(changed) = quiet::opened_upload(pipeline, job.id, &upload_id).await? {
            job = changed;
        }
    }
    let location = format!("/api/v1/uploads/{}", job.id);
    let shown = Json(shown(&public_store, &job).await?);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        replayed,
        shown,
    )
        .into_response())
}

/// Get an upload.
///
/// With new URLs, good for as long as the upload is waited for.
#[utoipa::path(
    get, path = "", operation_id = "getUpload", tag = "Uploads",
    params(("id" = Uuid, Path, description = "The upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 200, description = "Where to send it.", body = UploadView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn get(
    State(public_store): State<PublicStore>,
    Owned(OpenUpload(job)): Owned<OpenUpload>,
) -> Result<Response, Problem> {
    Ok(Json(shown(&public_store, &job).await?).into_response())
}

/// Complete an upload.
///
/// All of the file has been sent. Its size is checked now; its hash is made after this answer, and the job is `uploading`
/// until then.
#[utoipa::path(
    post, path = "", operation_id = "completeUpload", tag = "Uploads",
    params(("id" = Uuid, Path, description = "The upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 202, description = "The job.", body = JobView,
        headers(("Location" = String, description = "The job's URL.")))),
    extensions(("x-problems" = json!(["not_found", "conflict", "incomplete_upload"]))),
)]
pub async fn complete(
    State(pipeline): State<Shared>,
    Owned(OpenUpload(job)): Owned<OpenUpload>,
) -> Result<Response, Problem> {
    let key = keys::source(job.id);
    let direct = job.direct.clone().ok_or_else(none)?;
    if let Some(upload_id) = &direct.upload_id {
        let completed = pipeline.store.complete_sent(&key, upload_id).await;
        // A store may refuse to make an object of no parts, or of parts that are too small.
        if let Err(error) = completed {
            tracing::info!(job = %job.id, "an upload could not be completed: {error}");
        }
    }
    let size = pipeline.store.size(&key).await?;
    if size != Some(direct.size.cast_unsigned()) {
        let has = size.map_or("nothing of the file".to_owned(), |size| format!("{size} bytes"));
        return Err(Problem::new(
            Code::IncompleteUpload,
            format!("{has} can be found where {} bytes were announced", direct.size),
        ));
    }
    let change = |job: &mut Job| {
        let open = job.status == JobStatus::Uploading && job.direct.take().is_some();
        job.fetch = open.then(|| Fetch::new(DateTime::now()));
        open
    };
    let job = match advance::update(&pipeline, job.id, change).await? {
        Updated::Changed(job) => job,
        Updated::Unchanged(_) => return Err(Problem::conflict("the upload has ended meanwhile")),
    };
    let location = format!("/api/v1/jobs/{}", job.id);
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(view::job(&job)),
    )
        .into_response())
}

/// Give an upload up.
///
/// Removes what was sent of it. The job fails as `source_missing`.
#[utoipa::path(
    delete, path = "", operation_id = "deleteUpload", tag = "Uploads",
    params(("id" = Uuid, Path, description = "The upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 204, description = "It is gone.")),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn delete(
    State(pipeline): State<Shared>,
    Owned(OpenUpload(job)): Owned<OpenUpload>,
) -> Result<StatusCode, Problem> {
    let work = pipeline.tasks.clone();
    // Not half of it when the client hangs up.
    let giving_up = work.spawn(async move { removal::abandon(&pipeline, &job).await });
    let done = giving_up.await.map_err(Problem::internal)?;
    done.map_err(|error| Problem::unavailable("the object store", format!("{error:#}")))?;
    Ok(StatusCode::NO_CONTENT)
}

/// An upload that its client has not completed. A completed one is a job, and not found here.
pub struct OpenUpload(Job);

impl Find for OpenUpload {
    async fn find(state: &AppState, caller: &Caller, id: &str) -> Result<Self, Problem> {
        let id = id.parse().map_err(|_| none())?;
        match state.pipeline.db.get(&caller.tenant, id).await {
            Ok(job) if job.status == JobStatus::Uploading && job.direct.is_some() => Ok(OpenUpload(job)),
            Ok(_) | Err(DbError::NotFound) => Err(none()),
            Err(error) => Err(error.into()),
        }
    }
}

fn none() -> Problem {
    Problem::new(Code::NotFound, "there is no open upload with this id")
}

async fn shown(public_store: &PublicStore, job: &Job) -> Result<UploadView, Problem> {
    let direct = job.direct.as_ref().ok_or_else(none)?;
    let (key, size) = (keys::source(job.id), direct.size.cast_unsigned());
    let left = direct.expires_at.timestamp_millis() - DateTime::now().timestamp_millis();
    let valid = Duration::from_millis(left.max(1000).cast_unsigned());
    let mut parts = Vec::new();
    match &direct.upload_id {
        None => parts.push(PartView {
            url: public_store.presign_put(&key, valid).await?,
            offset: 0,
            size,
        }),
        Some(upload_id) => {
            for (number, (offset, size)) in (1..).zip(pieces(size)) {
                let url = public_store.presign_part(&key, upload_id, number, valid);
                let url = url.await?;
                parts.push(PartView { url, offset, size });
            }
        }
    }
    Ok(UploadView {
        id: job.id,
        size,
        expires_at: view::time(Some(direct.expires_at)),
        parts,
    })
}

/// Offset and size of each part.
fn pieces(size: u64) -> impl Iterator<Item = (u64, u64)> {
    let part = size.div_ceil(MAX_PARTS).max(PART);
    (0..size.div_ceil(part)).map(move |number| (number * part, part.min(size - number * part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_file() {
        let check = |size: u64, expected: usize| {
            let parts: Vec<_> = pieces(size).collect();
            assert_eq!(parts.len(), expected, "{size}");
            let mut end = 0;
            for (offset, size) in parts {
                assert_eq!(offset, end);
                end += size;
            }
            assert_eq!(end, size);
        };
        check(PART + 1, 2);
        check(3 * PART, 3);
        check(MAX_PARTS * PART + 1, 1000);
        check(1, 1);
    }
}
