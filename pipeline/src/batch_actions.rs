//! Doing something to all jobs of a batch. The batch remembers what, so that another replica goes on when this one dies.

use crate::{Shared, advance, cancel};
use anyhow::Result;
use std::time::Duration;
use vidp_record::{
    batch::{Action, ActionKind, Batch},
    db::DbError,
    plan,
    time::{DateTime, after},
};

/// A claim holds for so long, and is renewed with each round.
const LEASE: Duration = Duration::from_secs(10);
/// Jobs in a round.
const ROUND: i64 = 100;

/// Notes it, and begins in the background.
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
            tracing::warn!(batch = %batch.id, "a batch was left half-way; the sweeper goes on: {error:#}");
        }
    });
    Ok(())
}

/// Goes on with what is due, to its end or that of this process.
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
        // One whose items still come in may have more by the next round; what was asked for may have changed.
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
