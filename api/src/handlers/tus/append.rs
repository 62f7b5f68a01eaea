//! `PATCH /files/{id}`: appends bytes to an upload.

use super::{checksum::Checksum, headers, receive::Append};
use crate::{
    auth::Caller,
    http::{
        body,
        extract::Owned,
        problem::{Code, Problem},
    },
    openapi::Binary,
    state::Intake,
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use vidp_record::resumable::{Kind, Resumable};

/// Append bytes to a resumable upload.
///
/// The body starts at `Upload-Offset` and may have any length. If the connection breaks, the server keeps the bytes that
/// have arrived.
#[utoipa::path(
    patch, path = "", operation_id = "appendTusUpload", tag = "Uploads",
    params(
        ("id" = String, Path, description = "Id of the upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Tus-Resumable" = String, Header, description = "Version of the protocol.", example = "1.0.0"),
        ("Upload-Offset" = u64, Header, description = "Offset at which the body starts: the value that HEAD returns.",
            example = 0),
        ("Upload-Checksum" = Option<String>, Header, description = "Checksum of the body: `sha1` or `sha256`, and the value \
            in base64. With a checksum, the server stores either the complete body or nothing.",
            example = "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00="),
    ),
    request_body(content((Binary = "application/offset+octet-stream", example = json!("the bytes")))),
    responses((status = 204, description = "The bytes are stored.", headers(
        ("Upload-Offset" = u64, description = "Bytes that the server has stored."),
        ("Upload-Expires" = Option<String>, description = "When the upload expires unless more bytes arrive."),
    ))),
    extensions(("x-problems" = json!(["not_found", "offset_mismatch", "unsupported_version", "unsupported_content_type",
        "final_upload", "checksum_mismatch", "too_many_uploads"]))),
)]
pub(crate) async fn append(
    State(intake): State<Intake>,
    caller: Caller,
    Owned(upload): Owned<Resumable>,
    request: Request,
) -> Result<Response, Problem> {
    if let Kind::Final { .. } = upload.kind {
        return Err(Problem::new(
            Code::FinalUpload,
            "a final upload accepts no bytes: it consists of partial uploads",
        ));
    }
    if body::content_type(request.headers()) != headers::CONTENT_TYPE {
        return Err(headers::wrong_type());
    }
    let offset = headers::bytes(request.headers(), &headers::OFFSET)?;
    let offset = offset.ok_or_else(|| {
        Problem::invalid("Upload-Offset is missing: send the offset at which the body starts")
    })?;
    let checksum = Checksum::read(request.headers())?;
    let _permit = intake.limits.append(&caller)?;
    let append = Append::claim(&intake, &upload, offset, checksum).await?;
    let upload = append.receive(request.into_body()).await?;
    let mut fields = HeaderMap::new();
    headers::set(&mut fields, headers::OFFSET, upload.offset);
    headers::set_expiry(&mut fields, &upload);
    Ok((StatusCode::NO_CONTENT, fields).into_response())
}
