//! Doing something to all jobs of a batch. The batch remembers what, so that another replica goes on when this one dies.

use crate::{
    app::Shared,
    batch::{Action, ActionKind, Batch},
    cancel,
    db::DbError,
    dispatch, plan,
};
use anyhow::Result;
use mongodb::bson::DateTime;
use std::time::Duration;

/// A claim holds for so long, and is renewed with each round.
const LEASE: Duration = Duration::from_secs(10);
/// Jobs in a round.
const ROUND: i64 = 100;

/// Notes it, and begins in the background.
pub async fn begin(app: &Shared, batch: &mut Batch, kind: ActionKind) -> Result<(), DbError> {
    let now = DateTime::now();
    let action = Action {
        kind,
        at: now,
        next_at: now,
    };
    app.db.begin_action(batch, &action).await?;
    batch.action = Some(action);
    let (app, batch) = (app.clone(), batch.clone());
    app.commits.clone().spawn(async move {
        if let Err(error) = go_on(&app, batch.clone()).await {
            tracing::warn!(batch = %batch.id, "a batch was left half-way; the sweeper goes on: {error:#}");
        }
    });
    Ok(())
}

/// Goes on with what is due, to its end or that of this process.
pub async fn go_on(app: &Shared, mut batch: Batch) -> Result<()> {
    while let Some(action) = batch.action.clone() {
        let now = DateTime::now().timestamp_millis();
        let until = DateTime::from_millis(now + LEASE.as_millis() as i64);
        if app.shutdown.is_cancelled() || !app.db.claim_action(&batch, until).await? {
            return Ok(());
        }
        let jobs = app.db.to_do(&batch, &action, ROUND).await?;
        if jobs.is_empty() && batch.complete {
            return Ok(app.db.end_action(&batch, &action).await?);
        }
        for job in &jobs {
            let done = match action.kind {
                ActionKind::Cancel => cancel::cancel(app, job.id).await.map(drop),
                ActionKind::Retry => {
                    let change = |job: &mut _| plan::retried(job, app.times(), DateTime::now());
                    dispatch::update(app, job.id, change).await.map(drop)
                }
            };
            match done {
                Ok(()) | Err(DbError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if action.kind == ActionKind::Retry {
            app.fetches.notify_one();
        }
        // One whose items still come in may have more by the next round; what was asked for may have changed.
        batch = match app.db.batch(&batch.tenant, batch.id).await {
            Err(DbError::NotFound) => return Ok(()),
            found => found?,
        };
        if jobs.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}
