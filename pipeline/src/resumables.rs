//! The end of a resumable upload: creation of its object and job, or removal. The sweeper completes interrupted steps.

use crate::{Shared, advance, removal};
use anyhow::{Context, Result, ensure};
use vidp_common::crash;
use vidp_contract::keys;
use vidp_record::{
    db::DbError,
    job::Job,
    resumable::{Kind, Resumable, UploadState},
    source::Pieces,
    time::DateTime,
};

/// Creates the object from all parts, and the job. All bytes are stored and recorded already.
///
/// Errors are logged only: the client has nothing left to do, and the sweeper retries.
pub async fn finish(pipeline: &Shared, upload: &Resumable) {
    match finish_now(pipeline, upload).await {
        Ok(()) => tracing::info!(upload = %upload.id, size = upload.size, "uploaded"),
        Err(error) => {
            tracing::warn!(upload = %upload.id, "an upload could not be finished yet; the sweeper retries: {error:#}")
        }
    }
}

/// Finishes an upload. Every step can be repeated.
async fn finish_now(pipeline: &Shared, upload: &Resumable) -> Result<()> {
    let key = keys::source(upload.id);
    if !matches!(upload.kind, Kind::Final { .. }) {
        pipeline.store.complete_sent(&key, &upload.upload_id).await?;
        let found = pipeline.store.size(&key).await?;
        let size = upload.size.cast_unsigned();
        ensure!(found == Some(size), "{key} has {found:?} bytes and not {size}");
        let tails = pipeline.store.list(&format!("{key}.")).await?;
        pipeline.store.delete_all(&tails).await?;
    }
    crash::step("resumable.completed");
    let parts = match &upload.kind {
        Kind::Partial => None,
        Kind::Whole => Some(vec![upload.pieces()]),
        Kind::Final { parts } => Some(pieces(pipeline, parts).await?),
    };
    if let Some(parts) = parts {
        let job = upload.job(parts, DateTime::now());
        match advance::insert(pipeline, &job).await {
            // A duplicate was created before an interruption.
            Ok(()) | Err(DbError::Duplicate) => {}
            Err(error) => return Err(error.into()),
        }
        crash::step("resumable.inserted");
    }
    pipeline.db.done_resumable(upload.id).await?;
    Ok(())
}

/// Returns the stored parts of partial uploads, in order.
async fn pieces(pipeline: &Shared, ids: &[String]) -> Result<Vec<Pieces>> {
    let mut found = Vec::new();
    for id in ids {
        let part = pipeline.db.find_resumable(id.parse()?).await?;
        let part = part.with_context(|| format!("the partial upload {id} does not exist"))?;
        found.push(part.pieces());
    }
    Ok(found)
}

/// Removes an abandoned or expired upload. The bytes of a finished one stay with its job.
pub async fn remove(pipeline: &Shared, upload: &Resumable) -> Result<()> {
    let becomes_job = upload.kind != Kind::Partial;
    match upload.state {
        // Its job is being created.
        UploadState::Complete if becomes_job => return Ok(()),
        UploadState::Done if becomes_job => {}
        _ => {
            // Blocks further appends. An upload that was finished in the meantime stays.
            if !pipeline.db.gone_resumable(upload).await? {
                return Ok(());
            }
            removal::delete_upload(pipeline, upload.id).await?;
        }
    }
    pipeline.db.remove_resumable(upload.id).await?;
    Ok(())
}

/// Finishes a complete upload and removes an expired one, for the sweeper.
pub async fn sweep(pipeline: &Shared, upload: &Resumable) -> Result<()> {
    match upload.state {
        UploadState::Complete => finish_now(pipeline, upload).await,
        UploadState::Open => {
            tracing::info!(upload = %upload.id, offset = upload.offset, size = upload.size, "a resumable upload expired");
            remove(pipeline, upload).await
        }
        UploadState::Done | UploadState::Gone => remove(pipeline, upload).await,
    }
}

/// Removes the partial uploads of a job after their concatenation.
pub async fn remove_parts(pipeline: &Shared, job: &Job) -> Result<()> {
    let ids = job
        .source
        .parts
        .iter()
        .filter_map(|part| part.upload.parse().ok());
    for id in ids.filter(|id| *id != job.id) {
        if let Some(part) = pipeline.db.find_resumable(id).await? {
            remove(pipeline, &part).await?;
        }
    }
    Ok(())
}
