//! An upload as clients see it: the presigned URLs of its parts.

use super::find::no_upload;
use crate::{http::problem::Problem, state::PublicStore};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::keys;
use vidp_record::{job::Job, time::DateTime, view};

/// Default size of a part in bytes. S3 requires at least 5 MiB, except for the last part.
const PART: u64 = 64 << 20;
/// Most parts of an upload, because one answer contains all their URLs. Larger files have larger parts.
const MAX_PARTS: u64 = 1000;

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
    /// Presigned URL: PUT the bytes of the part here. Keep it secret.
    url: String,
    /// Offset of the part's first byte in the file.
    offset: u64,
    /// Size of the part in bytes.
    size: u64,
}

/// Presigns the URLs of an upload until it expires, and for at least a second.
pub(super) async fn upload(public_store: &PublicStore, job: &Job) -> Result<UploadView, Problem> {
    let direct = job.direct.as_ref().ok_or_else(no_upload)?;
    let (key, size) = (keys::source(job.id), direct.size.cast_unsigned());
    let left = direct.expires_at.timestamp_millis() - DateTime::now().timestamp_millis();
    let valid = Duration::from_millis(left.max(1000).cast_unsigned());
    let mut parts = Vec::new();
    match &direct.upload_id {
        None => parts.push(PartView {
            url: public_store.presign_put(&key, valid).await?,
            offset: 0,
            size,
        }),
        Some(upload_id) => {
            for (number, (offset, size)) in (1..).zip(split(size)) {
                let url = public_store.presign_part(&key, upload_id, number, valid);
                let url = url.await?;
                parts.push(PartView { url, offset, size });
            }
        }
    }
    Ok(UploadView {
        id: job.id,
        size,
        expires_at: view::time(Some(direct.expires_at)),
        parts,
    })
}

/// Offset and size of each part of a file, in bytes.
fn split(size: u64) -> impl Iterator<Item = (u64, u64)> {
    let part = size.div_ceil(MAX_PARTS).max(PART);
    (0..size.div_ceil(part)).map(move |number| (number * part, part.min(size - number * part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_file() {
        let check = |size: u64, expected: usize| {
            let parts: Vec<_> = split(size).collect();
            assert_eq!(parts.len(), expected, "{size}");
            let mut end = 0;
            for (offset, size) in parts {
                assert_eq!(offset, end);
                end += size;
            }
            assert_eq!(end, size);
        };
        check(PART + 1, 2);
        check(3 * PART, 3);
        check(MAX_PARTS * PART + 1, 1000);
        check(1, 1);
    }
}
