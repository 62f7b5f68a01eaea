//! `POST /files`: starts an upload session, and stores its first bytes if the request has a body.

use super::{
    checksum::Checksum,
    find::{find_all, no_upload},
    headers,
    metadata::{Concat, Metadata},
    receive::Append,
};
use crate::{
    auth::Caller,
    http::{
        body,
        problem::{Code, Problem},
    },
    openapi::Binary,
    state::Intake,
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use uuid::Uuid;
use vidp_common::{crash, store::part_size};
use vidp_contract::keys;
use vidp_pipeline::resumables;
use vidp_record::{
    db::Db,
    resumable::{Kind, Resumable, UploadState},
    time::{DateTime, later},
};

/// Start a resumable upload.
///
/// For clients of tus 1.0.0. The body may contain the first bytes. The finished upload becomes a job with the same id.
#[utoipa::path(
    post, path = "", operation_id = "createTusUpload", tag = "Uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "Version of the protocol.", example = "1.0.0"),
        ("Upload-Length" = Option<u64>, Header, description = "Size of the complete file in bytes; not for a \
            final upload.", example = 34930),
        ("Upload-Metadata" = Option<String>, Header, description = "`filename`, `filetype`, `sha256` (hexadecimal) and \
            `options` (JSON), each followed by its value in base64.", example = "filename Y2xpcC5tcDQ=,filetype dmlkZW8vbXA0"),
        ("Upload-Concat" = Option<String>, Header, description = "`partial`, or `final;` and the URLs of partial uploads.",
            example = "partial"),
        ("Upload-Checksum" = Option<String>, Header, description = "Checksum of the body: `sha1` or `sha256`, and \
            the value in base64.",
            example = "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00="),
    ),
    request_body(description = "The first bytes of the file; may be empty.", content((Option<Binary> = "application/offset+octet-stream",
        example = json!("")))),
    responses((status = 201, description = "The upload has started.", headers(
        ("Location" = String, description = "URL of the upload."),
        ("Upload-Offset" = u64, description = "Bytes that the server has stored."),
        ("Upload-Expires" = Option<String>, description = "When the upload expires unless more bytes arrive."),
    ))),
    extensions(("x-problems" = json!(["unsupported_version", "upload_too_large", "unsupported_media", "unsupported_content_type",
        "not_found", "incomplete_upload", "checksum_mismatch", "too_many_uploads", "quota_exceeded",
        "offset_mismatch"]))),
)]
pub(crate) async fn create(
    State(intake): State<Intake>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let metadata = Metadata::read(request.headers())?;
    let announced = headers::bytes(request.headers(), &headers::LENGTH)?;
    let checksum = Checksum::read(request.headers())?;
    let with_body = match body::content_type(request.headers()).as_str() {
        headers::CONTENT_TYPE => true,
        _ if has_no_body(request.headers()) => false,
        _ => return Err(headers::wrong_type()),
    };
    let (kind, size) = match (Concat::read(request.headers())?, announced) {
        (Concat::Final(_), Some(_)) => {
            return Err(Problem::invalid(
                "Upload-Length must be omitted for a final upload: its partial uploads have the size",
            ));
        }
        (Concat::Final(ids), None) => concatenated(&intake.pipeline.db, &caller, request.uri(), &ids).await?,
        (_, None) => {
            return Err(Problem::invalid(
                "Upload-Length is missing: send the size of the complete file in bytes",
            ));
        }
        (Concat::Whole, Some(size)) => (Kind::Whole, size),
        (Concat::Partial, Some(size)) => (Kind::Partial, size),
    };
    if size == 0 {
        return Err(Problem::new(Code::EmptyFile, "the file is empty"));
    }
    if size.cast_unsigned() > intake.config.max_upload() {
        return Err(Problem::too_large(intake.config.max_upload_mb));
    }
    let bytes = size.cast_unsigned();
    let _permit = intake.limits.upload(&intake.pipeline, &caller, bytes).await?;
    let (pipeline, now) = (&intake.pipeline, DateTime::now());
    let mut upload = Resumable {
        id: Uuid::now_v7(),
        tenant: caller.tenant,
        key_id: caller.key_id,
        state: UploadState::Open,
        offset: 0,
        part_size: part_size(size.cast_unsigned()).cast_signed(),
        upload_id: String::new(),
        hashes: Vec::new(),
        tail_sha256: None,
        claim: 0,
        metadata: metadata.text,
        filename: metadata.filename,
        content_type: metadata.content_type,
        wanted_sha256: metadata.wanted_sha256,
        options: metadata.options,
        created_at: now,
        expires_at: later(now, intake.config.direct_upload()),
        finish_at: None,
        size,
        kind,
    };
    if let Kind::Final { .. } = upload.kind {
        upload.offset = size;
        upload.state = UploadState::Complete;
        upload.finish_at = Some(now);
        pipeline.db.insert_resumable(&upload).await?;
        resumables::finish(pipeline, &upload).await;
        return Ok(created(request.uri(), &upload));
    }
    pipeline.store.check().await?;
    // The record is stored first, so that the sweeper finds the upload if this process dies.
    pipeline.db.insert_resumable(&upload).await?;
    let key = keys::source(upload.id);
    upload.upload_id = pipeline.store.open_multipart(&key, &upload.content_type).await?;
    crash::step("resumable.opened");
    pipeline.db.opened_resumable(&upload).await?;
    let uri = request.uri().clone();
    if with_body {
        let append = Append::claim(&intake, &upload, 0, checksum).await?;
        upload = append.receive(request.into_body()).await?;
    }
    Ok(created(&uri, &upload))
}

/// 201 with the URL and the offset of the upload.
fn created(uri: &Uri, upload: &Resumable) -> Response {
    let mut fields = HeaderMap::new();
    headers::set(&mut fields, header::LOCATION, headers::url(uri, upload.id));
    headers::set(&mut fields, headers::OFFSET, upload.offset);
    headers::set_expiry(&mut fields, upload);
    (StatusCode::CREATED, fields).into_response()
}

/// True without a body. Some clients send a content type but no body.
fn has_no_body(fields: &HeaderMap) -> bool {
    let length = fields.get(header::CONTENT_LENGTH);
    length.is_none_or(|length| length == "0") && !fields.contains_key(header::TRANSFER_ENCODING)
}

/// The kind and the size in bytes of a final upload. 409 unless all of its partial uploads are finished.
async fn concatenated(db: &Db, caller: &Caller, uri: &Uri, ids: &[Uuid]) -> Result<(Kind, i64), Problem> {
    let (mut parts, mut size) = (Vec::new(), 0_i64);
    let found = find_all(db, caller, ids).await?;
    for id in ids {
        let part = found.iter().find(|part| part.id == *id).ok_or_else(no_upload)?;
        if part.kind != Kind::Partial {
            return Err(Problem::invalid(format!(
                "{} is not a partial upload",
                headers::url(uri, id)
            )));
        }
        if part.state != UploadState::Done {
            return Err(Problem::new(
                Code::IncompleteUpload,
                format!(
                    "{} has {} of {} bytes",
                    headers::url(uri, id),
                    part.offset,
                    part.size
                ),
            ));
        }
        parts.push(id.to_string());
        size = size.saturating_add(part.size);
    }
    Ok((Kind::Final { parts }, size))
}
