//! Stores a source in the object store.

use crate::{Pipeline, pace::Pace, quiet};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use std::{pin::pin, time::Duration};
use tokio::time::timeout;
use vidp_common::store::{Multipart, StoreError};
use vidp_contract::{FailureCode, keys};
use vidp_record::{
    db::Open,
    job::Job,
    plan::fetch::Failed,
    source::{SourceState, plain_type},
};

/// Time without received bytes after which a transfer fails.
pub(super) const STALL_LIMIT: Duration = Duration::from_secs(30);

/// Converts an error of the object store to the error of a try.
pub(super) fn not_stored(error: StoreError) -> Failed {
    match error {
        StoreError::Missing { key } => Failed::permanent(
            FailureCode::SourceMissing,
            format!("the object {key} does not exist"),
        ),
        error => Failed::transient(error),
    }
}

/// Checks the source against the SHA-256 that the client announced.
pub(super) fn is_wanted(job: &Job, sha256: &str) -> Result<(), Failed> {
    match &job.source.wanted_sha256 {
        Some(wanted) if wanted != sha256 => Err(Failed::permanent(
            FailureCode::SourceCorrupt,
            format!("the source has the SHA-256 {sha256}, not {wanted}"),
        )),
        _ => Ok(()),
    }
}

/// The error for a source beyond the limit of the settings.
pub(super) fn too_large(pipeline: &Pipeline) -> Failed {
    let limit = pipeline.settings.max_source_mb;
    Failed::permanent(
        FailureCode::MediaTooLarge,
        format!("the source is larger than {limit} MB"),
    )
}

/// Counts the bytes of a reference, which may be known only now, for its tenant's quotas. `size` is `None` when the server
/// does not state it.
async fn admit(pipeline: &Pipeline, job: &Job, size: Option<u64>) -> Result<(), Failed> {
    let announced = job.source.size.max(0).cast_unsigned();
    let bytes = size.unwrap_or(1).saturating_sub(announced);
    if bytes == 0 {
        return Ok(());
    }
    let admitted = pipeline
        .quota
        .admit(&pipeline.db, &job.tenant, Open { jobs: 0, bytes });
    admitted.await.map_err(Failed::transient)?;
    if let Some(size) = size {
        let announced = quiet::announced(pipeline, job.id, size.cast_signed());
        announced.await.map_err(Failed::transient)?;
    }
    Ok(())
}

/// Stores `body` as the job's source and returns its new state.
pub(super) async fn store<E: std::fmt::Display>(
    pipeline: &Pipeline,
    job: &Job,
    content_type: Option<String>,
    size: Option<u64>,
    body: impl Stream<Item = Result<Bytes, E>>,
) -> Result<SourceState, Failed> {
    let max = pipeline.settings.max_source();
    if size.is_some_and(|size| size > max) {
        return Err(too_large(pipeline));
    }
    if job.source.reference.is_some() {
        admit(pipeline, job, size).await?;
    }
    let mut source = job.source.clone();
    if let Some(content_type) = content_type.filter(|_| source.content_type.is_empty()) {
        source.content_type = plain_type(&content_type);
    }
    let mut upload = Multipart::start(&pipeline.store, &keys::source(job.id), &source.content_type, max)
        .await
        .map_err(not_stored)?;
    let mut body =
        pin!(body.map_err(|error| Failed::transient(format!("the transfer was interrupted: {error}"))));
    let stalled = |_| Failed::transient(format!("no bytes were received for {} s", STALL_LIMIT.as_secs()));
    let min_rate = pipeline.settings.min_kib_per_second;
    let mut pace = Pace::start(min_rate);
    while let Some(piece) = timeout(STALL_LIMIT, body.next()).await.map_err(stalled)? {
        let piece = piece?;
        if upload.size() + piece.len() as u64 > max {
            return Err(too_large(pipeline));
        }
        if !pace.record(piece.len()) {
            return Err(Failed::transient(format!(
                "the source arrived at less than {min_rate} KiB/s"
            )));
        }
        upload.write(piece).await.map_err(not_stored)?;
    }
    if upload.size() == 0 {
        return Err(Failed::permanent(
            FailureCode::UnsupportedMedia,
            "the source is empty",
        ));
    }
    if size.is_some_and(|size| size != upload.size()) {
        return Err(Failed::transient("the transfer ended early"));
    }
    is_wanted(job, &upload.sha256())?;
    let stored = upload.complete().await.map_err(not_stored)?;
    source.size = stored.size.cast_signed();
    source.sha256 = stored.sha256;
    Ok(source)
}
