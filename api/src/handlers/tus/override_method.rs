//! `POST /files/{id}`: another method by `X-HTTP-Method-Override`.

use super::{append::append, delete::delete, head::head};
use crate::{
    auth::Caller,
    http::{extract::Owned, problem::Problem},
    state::{AppState, Intake},
};
use axum::{
    extract::{FromRef, Request, State},
    http::HeaderValue,
    response::{IntoResponse, Response},
};
use vidp_pipeline::Shared;
use vidp_record::resumable::Resumable;

/// Override the method of a request.
///
/// For clients whose environment cannot send PATCH, DELETE or HEAD. `X-HTTP-Method-Override` names the intended method.
#[utoipa::path(
    post, path = "", operation_id = "overrideTusMethod", tag = "Uploads",
    params(
        ("id" = String, Path, description = "Id of the upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Tus-Resumable" = String, Header, description = "Version of the protocol.", example = "1.0.0"),
        ("X-HTTP-Method-Override" = String, Header, description = "`PATCH`, `DELETE` or `HEAD`.", example = "DELETE"),
    ),
    responses(
        (status = 200, description = "The answer to HEAD.", headers(
            ("Upload-Offset" = u64, description = "Bytes that the server has stored."))),
        (status = 204, description = "The answer to PATCH or DELETE."),
    ),
    extensions(("x-problems" = json!(["not_found", "offset_mismatch", "unsupported_version", "unsupported_content_type",
        "final_upload", "checksum_mismatch", "too_many_uploads"]))),
)]
pub(crate) async fn override_method(
    State(state): State<AppState>,
    caller: Caller,
    // Loading the upload first answers other tenants with 404, without details about their request.
    upload: Owned<Resumable>,
    request: Request,
) -> Result<Response, Problem> {
    let intake = State(Intake::from_ref(&state));
    let method = request.headers().get("x-http-method-override");
    match method.map(HeaderValue::as_bytes) {
        Some(b"PATCH") => append(intake, caller, upload, request).await,
        Some(b"HEAD") => head(upload, request.uri().clone()).await,
        Some(b"DELETE") => {
            let pipeline = State(Shared::from_ref(&state));
            Ok(delete(pipeline, upload).await?.into_response())
        }
        _ => Err(Problem::invalid(
            "X-HTTP-Method-Override must be PATCH, HEAD or DELETE",
        )),
    }
}
