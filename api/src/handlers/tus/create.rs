//! `POST /files`: an upload begins, with its first bytes if the client sends some along.

use super::{
    append::{self, Append},
    checksum::Checksum,
    find::find,
    headers,
    metadata::{Concat, Metadata},
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
    http::{HeaderMap, StatusCode, header},
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

/// Begin a resumable upload.
///
/// By tus 1.0.0, for its clients. The upload's first bytes may be the body; the job has the upload's id.
#[utoipa::path(
    post, path = "", operation_id = "createTusUpload", tag = "Uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "The protocol's version.", example = "1.0.0"),
        ("Upload-Length" = Option<u64>, Header, description = "Bytes of the whole; none of a final upload.", example = 34930),
        ("Upload-Metadata" = Option<String>, Header, description = "`filename`, `filetype`, `sha256` (hexadecimal) and \
            `options` (JSON), each with its value in base64.", example = "filename Y2xpcC5tcDQ=,filetype dmlkZW8vbXA0"),
        ("Upload-Concat" = Option<String>, Header, description = "`partial`, or `final;` and the URLs of partial uploads.",
            example = "partial"),
        ("Upload-Checksum" = Option<String>, Header, description = "Of the body: `sha1` or `sha256`, and the value in base64.",
            example = "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00="),
    ),
    request_body(description = "The first bytes, or nothing.", content((Option<Binary> = "application/offset+octet-stream",
        example = json!("")))),
    responses((status = 201, description = "It has begun.", headers(
        ("Location" = String, description = "The upload's URL."),
        ("Upload-Offset" = u64, description = "Bytes that the server has."),
        ("Upload-Expires" = Option<String>, description = "When it is given up unless more comes."),
    ))),
    extensions(("x-problems" = json!(["unsupported_version", "upload_too_large", "unsupported_media", "unsupported_content_type",
        "not_found", "incomplete_upload", "checksum_mismatch", "too_many_uploads", "quota_exceeded",
        "offset_mismatch"]))),
)]
pub async fn create(
    State(intake): State<Intake>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let metadata = Metadata::of(request.headers())?;
    let announced = headers::bytes(request.headers(), &headers::LENGTH)?;
    let checksum = Checksum::of(request.headers())?;
    let with_body = match body::content_type(request.headers()).as_str() {
        append::CONTENT_TYPE => true,
        _ if has_no_body(request.headers()) => false,
        _ => return Err(append::wrong_type()),
    };
    let (kind, size) = match (Concat::of(request.headers())?, announced) {
        (Concat::Final(_), Some(_)) => {
            return Err(Problem::invalid(
                "a final upload has no Upload-Length: its parts have",
            ));
        }
        (Concat::Final(ids), None) => joined(&intake.pipeline.db, &caller, &ids).await?,
        (_, None) => {
            return Err(Problem::invalid(
                "Upload-Length is missing: the whole length in bytes",
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
    let _permit = intake.limits.upload(&intake.pipeline.db, &caller).await?;
    let (pipeline, now) = (&intake.pipeline, DateTime::now());
    let mut upload = Resumable {
        id: Uuid::now_v7(),
        tenant: caller.tenant,
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
        return Ok(created(&upload));
    }
    pipeline.store.check().await?;
    // The record first: whatever happens from now on, the sweeper finds it.
    pipeline.db.insert_resumable(&upload).await?;
    let key = keys::source(upload.id);
    upload.upload_id = pipeline.store.open_multipart(&key, &upload.content_type).await?;
    crash::step("resumable.opened");
    pipeline.db.opened_resumable(&upload).await?;
    if with_body {
        let append = Append::claim(&intake, &upload, 0, checksum).await?;
        upload = append.receive(request.into_body()).await?;
    }
    Ok(created(&upload))
}

fn created(upload: &Resumable) -> Response {
    let mut fields = HeaderMap::new();
    headers::set(&mut fields, header::LOCATION, headers::url(upload.id));
    headers::set(&mut fields, headers::OFFSET, upload.offset);
    headers::set_expiry(&mut fields, upload);
    (StatusCode::CREATED, fields).into_response()
}

/// Some clients name a type of a body that they do not send.
fn has_no_body(fields: &HeaderMap) -> bool {
    let length = fields.get(header::CONTENT_LENGTH);
    length.is_none_or(|length| length == "0") && !fields.contains_key(header::TRANSFER_ENCODING)
}

/// The caller's partial uploads together, all of them finished.
async fn joined(db: &Db, caller: &Caller, ids: &[Uuid]) -> Result<(Kind, i64), Problem> {
    let (mut parts, mut size) = (Vec::new(), 0_i64);
    for id in ids {
        let part = find(db, caller, &id.to_string()).await?;
        if part.kind != Kind::Partial {
            return Err(Problem::invalid(format!(
                "{} is no partial upload",
                headers::url(id)
            )));
        }
        if part.state != UploadState::Done {
            return Err(Problem::new(
                Code::IncompleteUpload,
                format!("{} has {} of {} bytes", headers::url(id), part.offset, part.size),
            ));
        }
        parts.push(id.to_string());
        size = size.saturating_add(part.size);
    }
    Ok((Kind::Final { parts }, size))
}
