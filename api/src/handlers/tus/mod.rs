//! `/files`: resumable uploads by [tus](https://tus.io/protocols/resumable-upload) 1.0.0, with its extensions creation,
//! creation-with-upload, termination, checksum, expiration and concatenation.
//!
//! An upload is a multipart upload of the object store, its parts all of one size, and a record of how far it has come.
//! What is less than a part lies beside it as an object of its own, so that any replica goes on with the next request.
//! The finished upload becomes the job with its id.

pub mod append;
mod checksum;
pub mod create;
mod find;
pub mod headers;
mod metadata;

use crate::{
    auth::Caller,
    http::{extract::Owned, problem::Problem},
    state::{AppState, Intake},
};
use axum::{
    extract::{FromRef, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use vidp_pipeline::{Shared, resumables};
use vidp_record::resumable::{Kind, Resumable};

/// Say what of tus this server speaks.
///
/// Version, extensions, longest upload, algorithms of checksums.
#[utoipa::path(
    options, path = "", operation_id = "getTusOptions", tag = "Uploads",
    responses((status = 204, description = "In the header fields.", headers(
        ("Tus-Version" = String, description = "Versions of the protocol."),
        ("Tus-Extension" = String, description = "Its extensions."),
        ("Tus-Max-Size" = u64, description = "Longest upload in bytes."),
        ("Tus-Checksum-Algorithm" = String, description = "What `Upload-Checksum` may name."),
    ))),
)]
pub async fn options() -> StatusCode {
    // `announce` writes the fields, also when it is a browser that asks and CORS answers.
    StatusCode::NO_CONTENT
}

/// Say how far an upload has come.
///
/// A client whose connection broke goes on from `Upload-Offset`.
#[utoipa::path(
    head, path = "", operation_id = "getTusUpload", tag = "Uploads",
    params(
        ("id" = String, Path, description = "The upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Tus-Resumable" = String, Header, description = "The protocol's version.", example = "1.0.0"),
    ),
    responses((status = 200, description = "In the header fields.", headers(
        ("Upload-Offset" = u64, description = "Bytes that the server has."),
        ("Upload-Length" = u64, description = "Bytes of the whole."),
        ("Upload-Metadata" = Option<String>, description = "As it was sent."),
        ("Upload-Concat" = Option<String>, description = "As it was sent."),
        ("Upload-Expires" = Option<String>, description = "When it is given up unless more comes."),
    ))),
    extensions(("x-problems" = json!(["not_found", "unsupported_version"]))),
)]
pub async fn head(Owned(upload): Owned<Resumable>) -> Result<Response, Problem> {
    let mut fields = HeaderMap::new();
    headers::set(&mut fields, headers::OFFSET, upload.offset);
    headers::set(&mut fields, headers::LENGTH, upload.size);
    headers::set(&mut fields, header::CACHE_CONTROL, "no-store");
    if !upload.metadata.is_empty() {
        headers::set(&mut fields, headers::METADATA, &upload.metadata);
    }
    match &upload.kind {
        Kind::Whole => {}
        Kind::Partial => headers::set(&mut fields, headers::CONCAT, "partial"),
        Kind::Final { parts } => {
            let urls: Vec<_> = parts.iter().map(headers::url).collect();
            headers::set(&mut fields, headers::CONCAT, format!("final;{}", urls.join(" ")));
        }
    }
    headers::set_expiry(&mut fields, &upload);
    Ok((StatusCode::OK, fields).into_response())
}

/// Give an upload up.
///
/// Removes what was sent. The job of a finished one stays.
#[utoipa::path(
    delete, path = "", operation_id = "deleteTusUpload", tag = "Uploads",
    params(
        ("id" = String, Path, description = "The upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Tus-Resumable" = String, Header, description = "The protocol's version.", example = "1.0.0"),
    ),
    responses((status = 204, description = "It is gone.")),
    extensions(("x-problems" = json!(["not_found", "unsupported_version"]))),
)]
pub async fn delete(
    State(pipeline): State<Shared>,
    Owned(upload): Owned<Resumable>,
) -> Result<StatusCode, Problem> {
    let work = pipeline.tasks.clone();
    // Not half of it when the client hangs up.
    let removing = work.spawn(async move { resumables::remove(&pipeline, &upload).await });
    let done = removing.await.map_err(Problem::internal)?;
    done.map_err(|error| Problem::unavailable("the object store", format!("{error:#}")))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a request whose method the client's environment does not allow.
///
/// `X-HTTP-Method-Override` says which one is meant.
#[utoipa::path(
    post, path = "", operation_id = "overrideTusMethod", tag = "Uploads",
    params(
        ("id" = String, Path, description = "The upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Tus-Resumable" = String, Header, description = "The protocol's version.", example = "1.0.0"),
        ("X-HTTP-Method-Override" = String, Header, description = "`PATCH`, `DELETE` or `HEAD`.", example = "DELETE"),
    ),
    responses(
        (status = 200, description = "As of HEAD.", headers(("Upload-Offset" = u64, description = "Bytes that the server has."))),
        (status = 204, description = "As of PATCH or DELETE."),
    ),
    extensions(("x-problems" = json!(["not_found", "offset_mismatch", "unsupported_version", "unsupported_content_type",
        "final_upload", "checksum_mismatch", "too_many_uploads", "quota_exceeded"]))),
)]
pub async fn override_method(
    State(state): State<AppState>,
    caller: Caller,
    // The upload is loaded first: a stranger learns nothing from a wrong request.
    upload: Owned<Resumable>,
    request: Request,
) -> Result<Response, Problem> {
    let intake = State(Intake::from_ref(&state));
    let method = request.headers().get("x-http-method-override");
    match method.map(header::HeaderValue::as_bytes) {
        Some(b"PATCH") => append::append(intake, caller, upload, request).await,
        Some(b"HEAD") => head(upload).await,
        Some(b"DELETE") => {
            let pipeline = State(Shared::from_ref(&state));
            Ok(delete(pipeline, upload).await?.into_response())
        }
        _ => Err(Problem::invalid(
            "X-HTTP-Method-Override must be PATCH, HEAD or DELETE: a POST of its own has no meaning here",
        )),
    }
}
