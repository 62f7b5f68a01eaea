//! The end of a resumable upload: its object and its job, or its removal. What is broken off here the sweeper finishes.

use super::record::{Kind, Resumable, State};
use crate::{app::Shared, db::DbError, sweep};
use anyhow::{Result, ensure};
use mongodb::bson::DateTime;
use vidp_common::{contract::keys, crash};

/// Makes the object of all parts, and the job. All bytes are stored and recorded: the client has done its own.
pub async fn finish(app: &Shared, upload: &Resumable) {
    match finish_now(app, upload).await {
        Ok(()) => tracing::info!(upload = %upload.id, size = upload.size, "uploaded"),
        Err(error) => tracing::warn!(upload = %upload.id, "an upload is not finished yet: {error:#}"),
    }
}

/// Every step may be done again.
async fn finish_now(app: &Shared, upload: &Resumable) -> Result<()> {
    let key = keys::source(upload.id);
    if !matches!(upload.kind, Kind::Final { .. }) {
        app.store.complete_sent(&key, &upload.upload_id).await?;
        let found = app.store.size(&key).await?;
        let size = upload.size.cast_unsigned();
        ensure!(found == Some(size), "{key} has {found:?} bytes and not {size}");
        let tails = app.store.list(&format!("{key}.")).await?;
        app.store.delete_all(&tails).await?;
    }
    crash::step("resumable.completed");
    if let Some(job) = upload.job(DateTime::now()) {
        match app.db.insert(&job).await {
            // Made before this was broken off.
            Ok(()) | Err(DbError::Duplicate) => {}
            Err(error) => return Err(error.into()),
        }
        crash::step("resumable.inserted");
        app.fetches.notify_one();
    }
    app.db.done_resumable(upload.id).await?;
    Ok(())
}

/// Removes an upload that was given up, or is at the end of its time. The job of a finished one keeps its bytes.
pub async fn remove(app: &Shared, upload: &Resumable) -> Result<()> {
    let becomes_job = upload.kind != Kind::Partial;
    match upload.state {
        // Its job is being made.
        State::Complete if becomes_job => return Ok(()),
        State::Done if becomes_job => {}
        _ => {
            // From now on nobody appends. What was finished meanwhile stays.
            if !app.db.gone_resumable(upload).await? {
                return Ok(());
            }
            sweep::delete_upload(app, upload.id).await?;
        }
    }
    app.db.remove_resumable(upload.id).await?;
    Ok(())
}

/// The sweeper's work: finishes what is complete, removes what nobody goes on with.
pub async fn sweep(app: &Shared, upload: &Resumable) -> Result<()> {
    match upload.state {
        State::Complete => finish_now(app, upload).await,
        State::Open => {
            tracing::info!(upload = %upload.id, offset = upload.offset, size = upload.size, "an upload was given up");
            remove(app, upload).await
        }
        State::Done | State::Gone => remove(app, upload).await,
    }
}

/// The parts of a job that were put together: they are not needed any more.
pub async fn remove_parts(app: &Shared, ids: &[String]) -> Result<()> {
    for id in ids.iter().filter_map(|id| id.parse().ok()) {
        if let Some(part) = app.db.find_resumable(id).await? {
            remove(app, &part).await?;
        }
    }
    Ok(())
}
