//! Multipart uploads in the object store that no record knows, as after the loss of a record.
//!
//! They hold bytes without an object, so that nothing else finds them. Every replica looks for them; to abort one twice has
//! no effect.

use crate::{Pipeline, Shared};
use anyhow::Result;
use std::time::SystemTime;
use tokio_util::future::FutureExt;
use uuid::Uuid;
use vidp_common::LogOnce;
use vidp_contract::keys;

/// Searches in the time after which an unknown upload is aborted: every hour by default.
const SEARCHES: u32 = 24;

/// Aborts orphans until the shutdown.
pub async fn run(pipeline: Shared) {
    let mut outage = LogOnce::default();
    let pause = (pipeline.times().tidy / SEARCHES).max(pipeline.settings.sweep_every);
    let pause = || tokio::time::sleep(pause).with_cancellation_token(&pipeline.shutdown);
    while pause().await.is_some() {
        match abort(&pipeline).with_cancellation_token(&pipeline.shutdown).await {
            None => return,
            Some(Ok(())) => drop(outage.recovered()),
            Some(Err(error)) if outage.first_failure() => {
                tracing::warn!(
                    "unfinished uploads could not be searched for in the object store; retrying: {error:#}"
                );
            }
            Some(Err(_)) => {}
        }
    }
}

/// Aborts every upload that is older than any attempt may run, except those to which a client may still send bytes.
async fn abort(pipeline: &Pipeline) -> Result<()> {
    let Some(before) = SystemTime::now().checked_sub(pipeline.times().tidy) else {
        return Ok(());
    };
    for (key, upload_id) in pipeline.store.old_multiparts(before).await? {
        let unused = match keys::owner(&key) {
            Some((keys::Folder::Uploads, id)) => !is_awaited(pipeline, id).await?,
            Some((keys::Folder::Outputs, _)) => true,
            None => false,
        };
        if unused {
            tracing::warn!(key, "aborting an unfinished upload that no record knows");
            pipeline.store.abort_multipart(&key, &upload_id).await?;
        }
    }
    Ok(())
}

/// Returns true while a job or a resumable upload waits for the bytes.
async fn is_awaited(pipeline: &Pipeline, id: Uuid) -> Result<bool> {
    Ok(pipeline.db.is_uploading(id).await? || pipeline.db.find_resumable(id).await?.is_some())
}
