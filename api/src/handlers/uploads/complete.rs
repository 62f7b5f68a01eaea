//! `POST /uploads/{id}/complete`: ends the upload session; the server then hashes the file.

use super::{
    find::{OpenUpload, no_upload},
    parts::split,
};
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
use vidp_common::store::Store;
use vidp_contract::keys;
use vidp_pipeline::{Shared, advance, removal};
use vidp_record::{
    db::Updated,
    job::{Job, JobStatus},
    source::{Direct, Fetch},
    time::DateTime,
    view::{self, JobView},
};

/// Complete an upload.
///
/// Call this after all bytes have been sent. The request checks the size of the file and ends the presigned URLs. The
/// server computes the hash after the answer; until then the job is `uploading`.
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
    let direct = job.direct.as_ref().ok_or_else(no_upload)?;
    put_together(&pipeline.store, &job, direct).await?;
    let size = direct.size;
    let change = |job: &mut Job| {
        let open = job.status == JobStatus::Uploading && job.direct.take().is_some();
        if open {
            job.source.size = size;
            job.fetch = Some(Fetch::new(DateTime::now()));
        }
        open
    };
    let job = match advance::update(&pipeline, job.id, change).await? {
        Updated::Changed(job) => job,
        Updated::Unchanged(_) => {
            // Removes the object, which may have been created after the bytes of an ended session were removed.
            let removed = removal::delete_unused(&pipeline, &job).await;
            removed.map_err(|error| Problem::unavailable("the object store", format!("{error:#}")))?;
            return Err(Problem::conflict(
                "the upload has been completed, cancelled or deleted by another request",
            ));
        }
    };
    let location = [(header::LOCATION, format!("/api/v1/jobs/{}", job.id))];
    Ok((StatusCode::ACCEPTED, location, Json(view::job(&job))).into_response())
}

/// Completes the object from the parts that the client has sent. Afterwards the presigned URLs are dead.
///
/// # Errors
/// 409 unless each part was sent and has its announced size; the upload stays open for the missing ones.
async fn put_together(store: &Store, job: &Job, direct: &Direct) -> Result<(), Problem> {
    let (key, announced) = (keys::source(job.id), direct.size.cast_unsigned());
    let incomplete = |stored: String| {
        let detail = format!("the object store has {stored}, but the announced size is {announced} bytes");
        Problem::new(Code::IncompleteUpload, detail)
    };
    let mut completed = Ok(());
    if let Some(upload_id) = &direct.upload_id
        // Without an upload an earlier request has completed it: the object decides.
        && let Some(sent) = store.sent_sizes(&key, upload_id).await?
    {
        let expected = (1..).zip(split(announced).map(|(_, size)| size));
        if !sent.iter().map(|(number, size)| (*number, *size)).eq(expected) {
            let bytes: u64 = sent.values().sum();
            return Err(incomplete(format!("{} parts with {bytes} bytes", sent.len())));
        }
        completed = store.complete_sent(&key, upload_id).await;
    }
    match (store.size(&key).await?, completed) {
        // The answer may have been lost after the store completed the upload.
        (Some(size), _) if size == announced => Ok(()),
        (_, Err(error)) => Err(error.into()),
        (Some(size), Ok(())) => Err(incomplete(format!("{size} bytes"))),
        (None, Ok(())) => Err(incomplete("no file".to_owned())),
    }
}
