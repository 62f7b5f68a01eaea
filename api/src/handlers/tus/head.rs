//! `HEAD /files/{id}`: the offset of an upload.

use super::headers;
use crate::http::{extract::Owned, problem::Problem};
use axum::{
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use vidp_record::resumable::{Kind, Resumable};

/// Get the offset of a resumable upload.
///
/// A client whose connection broke resumes at `Upload-Offset`.
#[utoipa::path(
    head, path = "", operation_id = "getTusUpload", tag = "Uploads",
    params(
        ("id" = String, Path, description = "Id of the upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Tus-Resumable" = String, Header, description = "Version of the protocol.", example = "1.0.0"),
    ),
    responses((status = 200, description = "The state of the upload, in the header fields.", headers(
        ("Upload-Offset" = u64, description = "Bytes that the server has stored."),
        ("Upload-Length" = u64, description = "Size of the complete file in bytes."),
        ("Upload-Metadata" = Option<String>, description = "The metadata as the client sent it."),
        ("Upload-Concat" = Option<String>, description = "The field as the client sent it."),
        ("Upload-Expires" = Option<String>, description = "When the upload expires unless more bytes arrive."),
    ))),
    extensions(("x-problems" = json!(["not_found", "unsupported_version"]))),
)]
pub(crate) async fn head(Owned(upload): Owned<Resumable>, uri: Uri) -> Result<Response, Problem> {
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
            let urls: Vec<_> = parts.iter().map(|id| headers::url(&uri, id)).collect();
            headers::set(&mut fields, headers::CONCAT, format!("final;{}", urls.join(" ")));
        }
    }
    headers::set_expiry(&mut fields, &upload);
    Ok((StatusCode::OK, fields).into_response())
}
