//! An upload as clients see it: the presigned URLs of its parts.

use super::{find::no_upload, parts::split};
use crate::{http::problem::Problem, state::PublicStore};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::keys;
use vidp_record::{job::Job, time::DateTime, view};

/// An upload session and the presigned URLs for its file.
#[derive(Serialize, ToSchema)]
#[schema(as = Upload)]
pub(crate) struct UploadView {
    /// The id of the upload and of its job.
    id: Uuid,
    /// Size of the file in bytes.
    size: u64,
    /// When the URLs and the upload expire.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Option<String>,
    /// The parts in order. A small file has a single part.
    parts: Vec<PartView>,
}

/// A part of a file and the URL that receives it.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadPart)]
struct PartView {
    /// Presigned URL: PUT exactly the bytes of the part here. Keep it secret.
    url: String,
    /// Offset of the part's first byte in the file.
    offset: u64,
    /// Size of the part in bytes.
    size: u64,
}

/// Presigns the URLs of an open upload until it expires, and for at least a second.
pub(super) async fn upload(public_store: &PublicStore, job: &Job) -> Result<UploadView, Problem> {
    let direct = job.direct.as_ref().ok_or_else(no_upload)?;
    let upload_id = direct.upload_id.as_deref().ok_or_else(no_upload)?;
    let (key, size) = (keys::source(job.id), direct.size.cast_unsigned());
    let left = direct.expires_at.timestamp_millis() - DateTime::now().timestamp_millis();
    let valid = Duration::from_millis(left.max(1000).cast_unsigned());
    let mut parts = Vec::new();
    for (number, (offset, size)) in (1..).zip(split(size)) {
        let url = public_store.presign_part(&key, upload_id, number, size, valid);
        let url = url.await?;
        parts.push(PartView { url, offset, size });
    }
    Ok(UploadView {
        id: job.id,
        size,
        expires_at: view::time(Some(direct.expires_at)),
        parts,
    })
}
