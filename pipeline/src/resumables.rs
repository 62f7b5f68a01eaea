//! The end of a resumable upload: its object and its job, or its removal. What is broken off here the sweeper finishes.

use super::{
    pieces::Pieces,
    record::{Kind, Resumable, State},
};
use crate::{app::Shared, db::DbError, job::Job, sweep};
use anyhow::{Context, Result, ensure};
use mongodb::bson::DateTime;
use vidp_common::crash;
use vidp_contract::keys;

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
    let parts = match &upload.kind {
        Kind::Partial => None,
        // As it is in the record, with every hash.
        Kind::Whole => Some(vec![Pieces::of(upload)]),
        Kind::Final { parts } => Some(pieces(app, parts).await?),
    };
    if let Some(parts) = parts {
        let job = upload.job(parts, DateTime::now());
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

async fn pieces(app: &Shared, ids: &[String]) -> Result<Vec<Pieces>> {
    let mut found = Vec::new();
    for id in ids {
        let part = app.db.find_resumable(id.parse()?).await?;
        found.push(Pieces::of(
            &part.with_context(|| format!("the part {id} is gone"))?,
        ));
    }
    Ok(found)
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
pub async fn remove_parts(app: &Shared, job: &Job) -> Result<()> {
    let ids = job
        .source
        .parts
        .iter()
        .filter_map(|part| part.upload.parse().ok());
    for id in ids.filter(|id| *id != job.id) {
        if let Some(part) = app.db.find_resumable(id).await? {
            remove(app, &part).await?;
        }
    }
    Ok(())
}
