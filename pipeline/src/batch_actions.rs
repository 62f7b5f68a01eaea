//! Actions on all jobs of a batch.
//!
//! The batch's document stores the action, so that another replica resumes it when this one dies.

use crate::{Shared, advance, cancel};
use anyhow::Result;
use std::time::Duration;
use vidp_record::{
    batch::{Action, ActionKind, Batch},
    db::DbError,
    job::Job,
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
///
/// It visits each job once, also those that the action cannot change.
pub async fn resume(pipeline: &Shared, mut batch: Batch) -> Result<()> {
    let (mut last, is_complete) = (None, batch.complete);
    while let Some(action) = batch.action.clone() {
        let until = after(LEASE);
        if pipeline.shutdown.is_cancelled() || !pipeline.db.claim_action(&batch, until).await? {
            return Ok(());
        }
        let jobs = pipeline.db.to_do(&batch, action.kind, last, ROUND).await?;
        if jobs.is_empty() && is_complete {
            return Ok(pipeline.db.end_action(&batch, &action).await?);
        }
        for job in &jobs {
            let done = match action.kind {
                ActionKind::Cancel => cancel::cancel(pipeline, job.id).await.map(drop),
                ActionKind::Retry => {
                    let (per_day, now) = (pipeline.settings.retries_per_day, DateTime::now());
                    // A job that failed again after the request is not retried a second time.
                    let change = |job: &mut Job| {
                        job.stages_ended_at() <= Some(action.at)
                            && plan::may_retry(job, per_day, now)
                            && plan::retried(job, pipeline.times(), now)
                    };
                    advance::update(pipeline, job.id, change).await.map(drop)
                }
            };
            match done {
                Ok(()) | Err(DbError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        last = jobs.last().map(|job| job.id);
        // Read again: a newer action may have replaced this one, and begins with the first job.
        batch = match pipeline.db.batch(&batch.tenant, batch.id).await {
            Err(DbError::NotFound) => return Ok(()),
            found => found?,
        };
        if batch.action.as_ref().map(|newer| newer.at) != Some(action.at) {
            last = None;
        }
        if jobs.is_empty() {
            // An incomplete batch may have new items: the sweeper begins again.
            return Ok(());
        }
    }
    Ok(())
}
