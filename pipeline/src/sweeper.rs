//! The sweeper: completes work that another process left unfinished.
//!
//! It runs in every replica without a leader: a compare-and-set on the document decides which replica does the work.

use crate::{
    Pipeline, Shared, advance, batch_actions,
    metrics::{self, Repair},
    publish, quiet,
    rejection::reject,
    removal::{self, abandon, committed},
    resumables, webhooks,
};
use anyhow::Result;
use uuid::Uuid;
use vidp_common::{
    LogOnce, crash,
    manifest::Manifest,
    queue::{Letter, StoredResult},
};
use vidp_contract::{Stage, TaskResult, streams};
use vidp_record::{
    db::DbError,
    job::{DispatchState, Job},
    plan,
    time::{DateTime, ago},
};

/// Maximum number of documents of each kind in one round.
const ROUND_LIMIT: i64 = 500;

/// Sweeps until the shutdown.
pub async fn run(pipeline: Shared) {
    let mut outage = LogOnce::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(pipeline.settings.sweep_every) => {}
            () = pipeline.shutdown.cancelled() => return,
        }
        match round(&pipeline).await {
            None => drop(outage.recovered()),
            Some(error) if outage.first_failure() => {
                tracing::warn!("the sweeper could not complete a round; retrying: {error:#}");
            }
            Some(_) => {}
        }
    }
}

/// Runs one round and returns the first error. An error of one job does not stop the work on others.
async fn round(pipeline: &Shared) -> Option<anyhow::Error> {
    let now = DateTime::now();
    let mut failed = None;
    let mut note = |done: Result<()>| {
        if let Err(error) = done {
            failed.get_or_insert(error);
        }
    };
    // Without the broker every check would only wait for its timeout.
    if pipeline.queue.is_connected() {
        for job in found(pipeline.db.stages_due(now, ROUND_LIMIT).await, &mut note) {
            for stage in job.stages.keys() {
                note(until_shutdown(pipeline, reconcile_stage(pipeline, &job, *stage)).await);
            }
        }
        for job in found(
            pipeline.db.ended_due("tidy_at", now, ROUND_LIMIT).await,
            &mut note,
        ) {
            note(until_shutdown(pipeline, removal::clean_up(pipeline, &job)).await);
        }
    }
    for batch in found(pipeline.db.actions_due(now).await, &mut note) {
        note(until_shutdown(pipeline, batch_actions::resume(pipeline, batch)).await);
    }
    // Uploads send eight heartbeats in this time.
    let silent = ago(pipeline.times().stale * 2);
    let silent = found(pipeline.db.silent_uploads(silent, ROUND_LIMIT).await, &mut note);
    let expired = found(pipeline.db.expired_uploads(now, ROUND_LIMIT).await, &mut note);
    for job in silent.into_iter().chain(expired) {
        metrics::repaired(Repair::UploadAbandoned);
        tracing::warn!(job = %job.id, "an upload was abandoned");
        note(until_shutdown(pipeline, abandon(pipeline, &job)).await);
    }
    for upload in found(pipeline.db.resumables_due(now, ROUND_LIMIT).await, &mut note) {
        note(until_shutdown(pipeline, resumables::sweep(pipeline, &upload)).await);
    }
    for job in found(
        pipeline
            .db
            .ended_due("announcement.next_at", now, ROUND_LIMIT)
            .await,
        &mut note,
    ) {
        note(until_shutdown(pipeline, announce(pipeline, &job)).await);
    }
    for job in found(
        pipeline.db.ended_due("expires_at", now, ROUND_LIMIT).await,
        &mut note,
    ) {
        note(until_shutdown(pipeline, removal::expire(pipeline, &job)).await);
    }
    failed
}

/// Announces to webhooks what the process that changed the job did not announce.
async fn announce(pipeline: &Shared, job: &Job) -> Result<()> {
    let Some(job) = quiet::claim_announcement(pipeline, job.id).await? else {
        return Ok(());
    };
    metrics::repaired(Repair::Announced);
    webhooks::announce(pipeline, &job).await
}

/// Returns the due documents; notes the error and returns none when the query fails.
fn found<T>(due: Result<Vec<T>, DbError>, note: &mut impl FnMut(Result<()>)) -> Vec<T> {
    due.unwrap_or_else(|error| {
        note(Err(error.into()));
        Vec::new()
    })
}

/// Stops the work at the shutdown. Another replica, or the next start, resumes it.
async fn until_shutdown(pipeline: &Pipeline, work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        done = work => done,
        () = pipeline.shutdown.cancelled() => Ok(()),
    }
}

/// Repairs a stage: publishes a task that stayed pending, or checks a published task without progress.
///
/// For the latter it checks the results, the task stream, and then the manifest.
async fn reconcile_stage(pipeline: &Shared, job: &Job, stage: Stage) -> Result<()> {
    let Some((job, state)) = quiet::claim_stage(pipeline, job.id, stage).await? else {
        return Ok(());
    };
    crash::step("sweep.claimed");
    if state == DispatchState::Pending {
        metrics::repaired(Repair::Republished);
        metrics::republished(stage);
        publish::publish(pipeline, &job, &[stage]).await;
        return Ok(());
    }
    let task_id = job.stages[&stage].task_id;
    let deadline = plan::task(&job, stage, "", 1, pipeline.settings.deadline).map(|task| task.deadline);
    let late = deadline.is_some_and(|deadline| time::OffsetDateTime::now_utc() > deadline);
    let stored = pipeline.queue.stored_result(stage, task_id).await?;
    // A result has the id of its own task, and may still name another job.
    let stored = stored.filter(|stored| stored.result.job_id == job.id);
    let known = match stored {
        Some(StoredResult { result, letter }) => Some((result.fits().map(|()| result), letter)),
        None if pipeline.queue.holds_task(stage, job.lane, task_id).await? => {
            if !late {
                return Ok(());
            }
            None
        }
        None => committed(pipeline, &job, stage)
            .await?
            .map(|manifest| of_manifest(manifest, stage, task_id)),
    };
    crash::step("sweep.found");
    let of_stage = (job.id, stage, task_id);
    let (known, letter) = match known {
        Some((Ok(result), letter)) => (Some(result), Some(letter)),
        Some((Err(reason), letter)) => return reject(pipeline, of_stage, letter, &reason).await,
        None => (None, None),
    };
    let change = |job: &mut Job| match &known {
        Some(result) => plan::finished(job, result, pipeline.times(), DateTime::now()),
        None if late => plan::expired(job, stage, task_id, pipeline.times(), DateTime::now()),
        None => plan::lost(job, stage, task_id, DateTime::now()),
    };
    let (kind, what) = match &known {
        Some(_) => (Repair::ResultApplied, "applied a result that was missed"),
        None if late => (Repair::Expired, "a task passed its deadline"),
        None => {
            metrics::republished(stage);
            (Repair::Lost, "published a lost task again")
        }
    };
    metrics::repaired(kind);
    tracing::warn!(job = %job.id, %stage, trace_id = job.trace().trace_id(), what);
    match (advance::update(pipeline, job.id, change).await, letter) {
        (Err(error), Some(letter)) if error.is_permanent() => {
            reject(pipeline, of_stage, letter, &error.to_string()).await
        }
        (updated, _) => Ok(updated.map(drop)?),
    }
}

/// The result in a manifest, or the reason why it is none; and the letter that buries it.
fn of_manifest(manifest: Manifest, stage: Stage, task_id: Uuid) -> (Result<TaskResult, String>, Letter) {
    let (result, bytes) = match manifest {
        Manifest::Committed(result) => {
            let bytes = serde_json::to_vec(&result).unwrap_or_default();
            (Ok(result), bytes)
        }
        Manifest::Invalid { reason, bytes } => (Err(reason), bytes),
    };
    let letter = Letter {
        subject: streams::result(stage, task_id),
        payload: bytes.into(),
        deliveries: None,
        id: format!("manifest-{task_id}"),
    };
    (result, letter)
}
