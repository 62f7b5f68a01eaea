//! Actions on all jobs of a batch.
//!
//! The batch's document stores the action, so that another replica resumes it when this one dies.

use crate::{Shared, advance, cancel};
use anyhow::Result;
use std::time::Duration;
use vidp_record::{
    batch::{Action, ActionKind, Batch},
    db::DbError,
    plan,
    time::{DateTime, after},
};

/// Duration of a claim. Each round renews it.
const LEASE: Duration = Duration::from_secs(10);
/// Number of jobs in a round.
const ROUND: i64 = 100;

/// Stores the action and starts it in the background.
pub async fn begin(pipeline: &Shared, batch: &mut Batch, kind: ActionKind) -> Result<(), DbError> {
    let now = DateTime::now();
    let action = Action {
        kind,
        at: now,
        next_at: now,
    };
    pipeline.db.begin_action(batch, &action).await?;
    batch.action = Some(action);
    let (pipeline, batch) = (pipeline.clone(), batch.clone());
    pipeline.tasks.clone().spawn(async move {
        if let Err(error) = resume(&pipeline, batch.clone()).await {
            tracing::warn!(batch = %batch.id, "batch action interrupted; the sweeper resumes it: {error:#}");
        }
    });
    Ok(())
}

/// Resumes a due action until it is complete or the process shuts down.
pub async fn resume(pipeline: &Shared, mut batch: Batch) -> Result<()> {
    while let Some(action) = batch.action.clone() {
        let until = after(LEASE);
        if pipeline.shutdown.is_cancelled() || !pipeline.db.claim_action(&batch, until).await? {
            return Ok(());
        }
        let jobs = pipeline.db.to_do(&batch, &action, ROUND).await?;
        if jobs.is_empty() && batch.complete {
            return Ok(pipeline.db.end_action(&batch, &action).await?);
        }
        for job in &jobs {
            let done = match action.kind {
                ActionKind::Cancel => cancel::cancel(pipeline, job.id).await.map(drop),
                ActionKind::Retry => {
                    let change = |job: &mut _| plan::retried(job, pipeline.times(), DateTime::now());
                    advance::update(pipeline, job.id, change).await.map(drop)
                }
            };
            match done {
                Ok(()) | Err(DbError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Read again: an incomplete batch may have new items, and a newer action may have replaced this one.
        batch = match pipeline.db.batch(&batch.tenant, batch.id).await {
            Err(DbError::NotFound) => return Ok(()),
            found => found?,
        };
        if jobs.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}
