//! `DELETE /uploads/{id}`: abandons an upload session.

use super::find::OpenUpload;
use crate::http::{extract::Owned, problem::Problem};
use axum::{extract::State, http::StatusCode};
use vidp_pipeline::{Shared, removal};

/// Delete an upload.
///
/// Removes the bytes that were sent. The job of the upload fails with `source_missing`.
#[utoipa::path(
    delete, path = "", operation_id = "deleteUpload", tag = "Uploads",
    params(("id" = Uuid, Path, description = "Id of the upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 204, description = "The upload has been deleted.")),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn delete(
    State(pipeline): State<Shared>,
    Owned(OpenUpload(job)): Owned<OpenUpload>,
) -> Result<StatusCode, Problem> {
    let tasks = pipeline.tasks.clone();
    // A separate task completes the deletion even when the client disconnects.
    let deletion = tasks.spawn(async move { removal::abandon(&pipeline, &job).await });
    let deleted = deletion.await.map_err(Problem::internal)?;
    deleted.map_err(|error| Problem::unavailable("the object store", format!("{error:#}")))?;
    Ok(StatusCode::NO_CONTENT)
}
