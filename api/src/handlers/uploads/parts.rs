//! The parts of an upload session: its multipart upload in the object store, and the size of each part.

use super::find::no_upload;
use crate::http::problem::Problem;
use vidp_contract::keys;
use vidp_pipeline::{Pipeline, quiet};
use vidp_record::job::Job;

/// Default size of a part in bytes. S3 requires at least 5 MiB, except for the last part.
const PART: u64 = 64 << 20;
/// Most parts of an upload, because one answer contains all their URLs. Larger files have larger parts.
const MAX_PARTS: u64 = 1000;

/// Opens the multipart upload of a session, unless another request did. Returns the job with the id of the upload; without
/// it the session has ended.
///
/// Every file is a multipart upload, also a file with one part: its URLs end with the upload, while the URL of a plain PUT
/// would replace the object later.
pub(super) async fn open(pipeline: &Pipeline, job: Job) -> Result<Job, Problem> {
    if job.direct.as_ref().ok_or_else(no_upload)?.upload_id.is_some() {
        return Ok(job);
    }
    let key = keys::source(job.id);
    let upload_id = pipeline
        .store
        .open_multipart(&key, &job.source.content_type)
        .await?;
    if let Some(job) = quiet::opened_upload(pipeline, job.id, &upload_id).await? {
        return Ok(job);
    }
    // A request with the same idempotency key opened one first, or the session has ended.
    pipeline.store.abort_multipart(&key, &upload_id).await?;
    Ok(pipeline.db.get(&job.tenant, job.id).await?)
}

/// Offset and size of each part of a file, in bytes.
pub(super) fn split(size: u64) -> impl Iterator<Item = (u64, u64)> {
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
