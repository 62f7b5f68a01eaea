//! The sweeper: finishes what some process left half-way. Runs in every replica; a compare-and-set on the document
//! decides which one does a piece of work, so there is no leader.

use crate::{
    app::{App, Shared},
    db::{DbError, Updated},
    dispatch,
    job::{DispatchState, Job},
    plan,
};
use anyhow::{Context, Result};
use mongodb::bson::DateTime;
use std::{collections::HashSet, time::Duration};
use vidp_common::contract::{Outcome, Stage, TaskResult, keys};

/// Documents looked at in one round of each kind.
const ROUND: i64 = 500;

/// Sweeps until the shutdown.
pub async fn run(app: Shared) {
    let pause = Duration::from_secs(app.config.sweep_seconds);
    let mut told = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.shutdown.cancelled() => return,
        }
        match round(&app).await {
            Ok(()) => told = false,
            Err(error) if !told => {
                tracing::warn!("the sweeper could not do its work: {error:#}");
                told = true;
            }
            Err(_) => {}
        }
    }
}

async fn round(app: &Shared) -> Result<()> {
    let now = DateTime::now();
    for job in app.db.stages_due(now, ROUND).await? {
        for stage in job.stages.keys() {
            look_after(app, &job, *stage).await?;
        }
    }
    // Eight missed signs of life.
    let silent = ago(app.config.stale() * 2);
    for job in app.db.silent_uploads(silent, ROUND).await? {
        tracing::warn!(job = %job.id, "an upload was abandoned");
        abandon(app, &job).await?;
    }
    for job in app.db.ended_due("expires_at", now, ROUND).await? {
        tracing::info!(job = %job.id, "expired");
        delete(app, &job).await?;
    }
    for job in app.db.ended_due("tidy_at", now, ROUND).await? {
        tidy(app, &job).await?;
    }
    Ok(())
}

/// Publishes a stage that stayed pending, and looks for one that went silent: in the stream, then for its manifest.
async fn look_after(app: &Shared, job: &Job, stage: Stage) -> Result<()> {
    let mut claim = None;
    let take = |job: &mut Job| {
        claim = plan::claimed(job, stage, app.times(), DateTime::now());
        claim.is_some()
    };
    let job = match app.db.update(job.id, take).await {
        Ok(Updated::Changed(job)) => job,
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if claim == Some(DispatchState::Pending) {
        dispatch::publish_due(app, &job).await;
        return Ok(());
    }
    let task_id = job.stages[&stage].task_id;
    if app.queue.holds_task(stage, job.lane, task_id).await? {
        return Ok(());
    }
    let change: Box<dyn FnMut(&mut Job) -> bool + Send> = match manifest(app, &job, stage).await? {
        Some(result) => {
            tracing::warn!(job = %job.id, %stage, "a result was missed; taken from the manifest");
            Box::new(move |job| plan::finished(job, &result, app.times(), DateTime::now()))
        }
        None => {
            tracing::warn!(job = %job.id, %stage, "a task was lost; published again");
            Box::new(move |job| plan::lost(job, stage, task_id, DateTime::now()))
        }
    };
    dispatch::update(app, job.id, change).await?;
    Ok(())
}

async fn manifest(app: &App, job: &Job, stage: Stage) -> Result<Option<TaskResult>> {
    let key = keys::manifest(&keys::stage_prefix(job.id, stage));
    let Some(bytes) = app.store.read(&key).await? else {
        return Ok(None);
    };
    let result: TaskResult = serde_json::from_slice(&bytes).with_context(|| key)?;
    Ok(Some(TaskResult {
        task_id: job.stages[&stage].task_id,
        ..result
    }))
}

/// Ends an upload that nobody completes: first its bytes, then its record.
pub async fn abandon(app: &Shared, job: &Job) -> Result<()> {
    let change = |job: &mut Job| plan::abandoned(job, app.times(), DateTime::now());
    let updated = app.db.update(job.id, change).await;
    if let Ok(Updated::Changed(_)) | Err(DbError::NotFound) = updated {
        delete_upload(app, job).await?;
    }
    updated.map(drop).or_else(|error| match error {
        DbError::NotFound => Ok(()),
        error => Err(error.into()),
    })
}

async fn delete_upload(app: &App, job: &Job) -> Result<()> {
    let prefix = keys::upload_prefix(job.id);
    for (key, upload_id) in app.store.open_multiparts(&prefix).await? {
        app.store.abort_multipart(&key, &upload_id).await?;
    }
    let uploaded = app.store.list(&prefix).await?;
    app.store.delete_all(&uploaded).await?;
    Ok(())
}

/// Deletes a job: its objects first, so that a crash in between leaves a document that can be deleted again.
/// False when the job changed meanwhile.
pub async fn delete(app: &App, job: &Job) -> Result<bool> {
    delete_upload(app, job).await?;
    let made = app.store.list(&keys::job_prefix(job.id)).await?;
    app.store.delete_all(&made).await?;
    Ok(app.db.delete(job.id, job.rev).await?)
}

/// Removes what losing attempts stored: everything below the job that is neither a manifest nor named in one.
async fn tidy(app: &Shared, job: &Job) -> Result<()> {
    let mut kept = HashSet::new();
    for stage in job.stages.keys() {
        kept.insert(keys::manifest(&keys::stage_prefix(job.id, *stage)));
        if let Some(TaskResult {
            outcome: Outcome::Succeeded(success),
            ..
        }) = manifest(app, job, *stage).await?
        {
            kept.extend(success.outputs.into_iter().map(|output| output.key));
        }
    }
    let mut lost = app.store.list(&keys::job_prefix(job.id)).await?;
    lost.retain(|key| !kept.contains(key));
    app.store.delete_all(&lost).await?;
    let done = |job: &mut Job| job.tidy_at.take().is_some();
    match app.db.update(job.id, done).await {
        Ok(_) | Err(DbError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn ago(time: Duration) -> DateTime {
    let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(DateTime::now().timestamp_millis() - time)
}
