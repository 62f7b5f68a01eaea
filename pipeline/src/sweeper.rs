//! The sweeper: finishes what some process left half-way. Runs in every replica; a compare-and-set on the document
//! decides which one does a piece of work, so there is no leader.

mod objects;

use crate::{
    app::{App, Shared},
    batches,
    db::{DbError, Updated},
    dispatch,
    job::{DispatchState, Job},
    metrics::{self, Repair},
    plan, tus, webhooks,
};
use anyhow::Result;
use mongodb::bson::DateTime;
pub use objects::{abandon, delete, delete_upload};
use std::time::Duration;
use vidp_common::{crash, manifest};
use vidp_contract::{Stage, TaskResult, keys};

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
        let failed = round(&app).await;
        match &failed {
            Some(error) if !told => tracing::warn!("the sweeper could not do all of its work: {error:#}"),
            _ => {}
        }
        told = failed.is_some();
    }
}

/// One round; gives the first error. What fails for one job does not keep the sweeper from the others.
async fn round(app: &Shared) -> Option<anyhow::Error> {
    let now = DateTime::now();
    let mut failed = None;
    let mut note = |done: Result<()>| {
        if let Err(error) = done {
            failed.get_or_insert(error);
        }
    };
    // Without the broker every look would only wait for its time limit.
    if app.queue.is_connected() {
        for job in found(app.db.stages_due(now, ROUND).await, &mut note) {
            for stage in job.stages.keys() {
                note(until_shutdown(app, look_after(app, &job, *stage)).await);
            }
        }
        for job in found(app.db.ended_due("tidy_at", now, ROUND).await, &mut note) {
            note(until_shutdown(app, objects::tidy(app, &job)).await);
        }
    }
    for batch in found(app.db.actions_due(now).await, &mut note) {
        note(until_shutdown(app, batches::act::go_on(app, batch)).await);
    }
    // Eight missed signs of life.
    let silent = ago(app.config.stale() * 2);
    let silent = found(app.db.silent_uploads(silent, ROUND).await, &mut note);
    let expired = found(app.db.expired_uploads(now, ROUND).await, &mut note);
    for job in silent.into_iter().chain(expired) {
        metrics::repaired(Repair::UploadAbandoned);
        tracing::warn!(job = %job.id, "an upload was abandoned");
        note(until_shutdown(app, abandon(app, &job)).await);
    }
    for upload in found(app.db.resumables_due(now, ROUND).await, &mut note) {
        note(until_shutdown(app, tus::finish::sweep(app, &upload)).await);
    }
    for job in found(
        app.db.ended_due("announcement.next_at", now, ROUND).await,
        &mut note,
    ) {
        note(until_shutdown(app, announce(app, &job)).await);
    }
    for job in found(app.db.ended_due("expires_at", now, ROUND).await, &mut note) {
        note(until_shutdown(app, objects::expire(app, &job)).await);
    }
    failed
}

/// Tells webhooks of a job's end, which whoever stored it did not come to.
async fn announce(app: &Shared, job: &Job) -> Result<()> {
    match app
        .db
        .update(job.id, |job| plan::announcing(job, DateTime::now()))
        .await
    {
        Ok(Updated::Changed(job)) => {
            metrics::repaired(Repair::Announced);
            webhooks::announce(app, &job).await
        }
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn found<T>(due: Result<Vec<T>, DbError>, note: &mut impl FnMut(Result<()>)) -> Vec<T> {
    due.unwrap_or_else(|error| {
        note(Err(error.into()));
        Vec::new()
    })
}

/// Does no more once the process is to end: another replica, or the next start, goes on.
async fn until_shutdown(app: &App, work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        done = work => done,
        () = app.shutdown.cancelled() => Ok(()),
    }
}

/// Publishes a stage that stayed pending, and looks for one that went silent: in the stream, among the results, then
/// for its manifest.
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
    crash::step("sweep.claimed");
    if claim == Some(DispatchState::Pending) {
        metrics::repaired(Repair::Republished);
        dispatch::publish_due(app, &job).await;
        return Ok(());
    }
    let task_id = job.stages[&stage].task_id;
    let deadline = plan::task(&job, stage, "", 1, app.config.deadline()).map(|task| task.deadline);
    let late = deadline.is_some_and(|deadline| time::OffsetDateTime::now_utc() > deadline);
    let known = match app.queue.stored_result(stage, task_id).await? {
        Some(result) => Some(result),
        None if app.queue.holds_task(stage, job.lane, task_id).await? => {
            if !late {
                return Ok(());
            }
            None
        }
        None => committed(app, &job, stage).await?,
    };
    let change = |job: &mut Job| match &known {
        Some(result) => plan::finished(job, result, app.times(), DateTime::now()),
        None if late => plan::expired(job, stage, task_id, app.times(), DateTime::now()),
        None => plan::lost(job, stage, task_id, DateTime::now()),
    };
    let (kind, what) = match &known {
        Some(_) => (Repair::ResultApplied, "a result was missed; applied now"),
        None if late => (Repair::Expired, "a task was not worked on by its deadline"),
        None => (Repair::Lost, "a task was lost; published again"),
    };
    crash::step("sweep.found");
    metrics::repaired(kind);
    tracing::warn!(job = %job.id, %stage, trace_id = job.trace().trace_id(), what);
    dispatch::update(app, job.id, change).await?;
    Ok(())
}

/// The committed result of a stage, as the answer to its present task.
async fn committed(app: &App, job: &Job, stage: Stage) -> Result<Option<TaskResult>> {
    manifest::read(
        &app.store,
        &keys::stage_prefix(job.id, stage),
        job.stages[&stage].task_id,
    )
    .await
}

fn ago(time: Duration) -> DateTime {
    let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(DateTime::now().timestamp_millis().saturating_sub(time))
}
