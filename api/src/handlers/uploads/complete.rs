//! `POST /uploads/{id}/complete`: ends the upload session; the server then hashes the file.

use super::find::{OpenUpload, no_upload};
use crate::http::{
    extract::Owned,
    problem::{Code, Problem},
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use vidp_contract::keys;
use vidp_pipeline::{Shared, advance};
use vidp_record::{
    db::Updated,
    job::{Job, JobStatus},
    source::Fetch,
    time::DateTime,
    view::{self, JobView},
};

/// Complete an upload.
///
/// Call this after all bytes have been sent. The request checks the size of the file. The server computes the hash
/// after the answer; until then the job is `uploading`.
#[utoipa::path(
    post, path = "", operation_id = "completeUpload", tag = "Uploads",
    params(("id" = Uuid, Path, description = "Id of the upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 202, description = "The job of the uploaded file.", body = JobView,
        headers(("Location" = String, description = "URL of the job.")))),
    extensions(("x-problems" = json!(["not_found", "conflict", "incomplete_upload"]))),
)]
pub(crate) async fn complete(
    State(pipeline): State<Shared>,
    Owned(OpenUpload(job)): Owned<OpenUpload>,
) -> Result<Response, Problem> {
    let key = keys::source(job.id);
    let direct = job.direct.clone().ok_or_else(no_upload)?;
    if let Some(upload_id) = &direct.upload_id {
        let completed = pipeline.store.complete_sent(&key, upload_id).await;
        // A store may refuse an object without parts or with parts that are too small. The size check below answers.
        if let Err(error) = completed {
            tracing::info!(job = %job.id, "the object store refused to complete an upload: {error}");
        }
    }
    let size = pipeline.store.size(&key).await?;
    if size != Some(direct.size.cast_unsigned()) {
        let stored = size.map_or("no file".to_owned(), |size| format!("{size} bytes"));
        return Err(Problem::new(
            Code::IncompleteUpload,
            format!(
                "the object store has {stored}, but the announced size is {} bytes",
                direct.size
            ),
        ));
    }
    let change = |job: &mut Job| {
        let open = job.status == JobStatus::Uploading && job.direct.take().is_some();
        job.fetch = open.then(|| Fetch::new(DateTime::now()));
        open
    };
    let job = match advance::update(&pipeline, job.id, change).await? {
        Updated::Changed(job) => job,
        Updated::Unchanged(_) => {
            return Err(Problem::conflict(
                "the upload has been completed, cancelled or deleted by another request",
            ));
        }
    };
    let location = [(header::LOCATION, format!("/api/v1/jobs/{}", job.id))];
    Ok((StatusCode::ACCEPTED, location, Json(view::job(&job))).into_response())
}
