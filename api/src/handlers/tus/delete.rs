//! `DELETE /files/{id}`: abandons an upload session.

use crate::http::{extract::Owned, problem::Problem};
use axum::{extract::State, http::StatusCode};
use vidp_pipeline::{Shared, resumables};
use vidp_record::resumable::Resumable;

/// Delete a resumable upload.
///
/// Removes the bytes that were sent. The job of a finished upload is not affected.
#[utoipa::path(
    delete, path = "", operation_id = "deleteTusUpload", tag = "Uploads",
    params(
        ("id" = String, Path, description = "Id of the upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Tus-Resumable" = String, Header, description = "Version of the protocol.", example = "1.0.0"),
    ),
    responses((status = 204, description = "The upload has been deleted.")),
    extensions(("x-problems" = json!(["not_found", "unsupported_version"]))),
)]
pub(crate) async fn delete(
    State(pipeline): State<Shared>,
    Owned(upload): Owned<Resumable>,
) -> Result<StatusCode, Problem> {
    let tasks = pipeline.tasks.clone();
    // A separate task completes the deletion even when the client disconnects.
    let deletion = tasks.spawn(async move { resumables::remove(&pipeline, &upload).await });
    let deleted = deletion.await.map_err(Problem::internal)?;
    deleted.map_err(|error| Problem::unavailable("the object store", format!("{error:#}")))?;
    Ok(StatusCode::NO_CONTENT)
}
