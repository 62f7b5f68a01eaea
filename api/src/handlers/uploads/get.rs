//! `GET /uploads/{id}`: the upload with new presigned URLs.

use super::{
    find::OpenUpload,
    parts,
    view::{self, UploadView},
};
use crate::{
    http::{extract::Owned, problem::Problem},
    state::PublicStore,
};
use axum::{Json, extract::State};
use vidp_pipeline::Shared;

/// Get an upload.
///
/// The answer has new presigned URLs, which are valid until the upload expires.
#[utoipa::path(
    get, path = "", operation_id = "getUpload", tag = "Uploads",
    params(("id" = Uuid, Path, description = "Id of the upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 200, description = "The upload and its presigned URLs.", body = UploadView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn get(
    State(pipeline): State<Shared>,
    State(public_store): State<PublicStore>,
    Owned(OpenUpload(job)): Owned<OpenUpload>,
) -> Result<Json<UploadView>, Problem> {
    // The process that stored the session may have died before it opened the upload.
    let job = parts::open(&pipeline, job).await?;
    Ok(Json(view::upload(&public_store, &job).await?))
}
