//! Messages from workers: results, which are durable and applied exactly once, and progress, which may be lost.

use crate::{
    Shared, advance,
    rejection::{Refusals, Refused, acknowledge, reject},
};
use anyhow::Result;
use async_nats::jetstream::Message;
use futures_util::StreamExt;
use std::{sync::Mutex, time::Duration};
use tracing::Instrument;
use vidp_common::{LogOnce, crash, queue::Cancel, trace};
use vidp_contract::{Progress, TaskResult, TraceParent, streams};
use vidp_record::{
    db::{DbError, Updated},
    job::Job,
    plan,
    time::DateTime,
};

/// Maximum number of results in one pull. Each takes milliseconds, far less than its lease.
const PULL_BATCH: usize = 64;
/// Results that are applied at the same time.
const CONCURRENT: usize = 8;
/// Time that one pull waits for results.
const PULL_WAIT: Duration = Duration::from_secs(2);
/// Pause after a failure.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Queue group of the replicas: each progress message is delivered to one replica.
const PROGRESS_GROUP: &str = "vidp-api";

/// Applies results until the shutdown.
pub async fn follow_results(pipeline: Shared) {
    let mut outage = LogOnce::default();
    while !pipeline.shutdown.is_cancelled() {
        if let Err(error) = pull(&pipeline, &mut outage).await
            && outage.first_failure()
        {
            tracing::warn!("results cannot be pulled; retrying: {error:#}");
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY_PAUSE) => {}
            () = pipeline.shutdown.cancelled() => {}
        }
    }
}

async fn pull(pipeline: &Shared, outage: &mut LogOnce) -> Result<()> {
    let consumer = pipeline.queue.results_consumer().await?;
    outage.recovered();
    let refusals = Refusals::default();
    while !pipeline.shutdown.is_cancelled() {
        let batch = consumer
            .batch()
            .max_messages(PULL_BATCH)
            .expires(PULL_WAIT)
            .messages()
            .await?;
        let failed = Mutex::new(None);
        // A result that takes long delays no other. The order does not matter: every change is a compare-and-set.
        let apply_all = batch.for_each_concurrent(CONCURRENT, |message| async {
            match message {
                Ok(message) => apply(pipeline, &refusals, message).await,
                Err(error) => *failed.lock().expect("no holder panics") = Some(error),
            }
        });
        apply_all.await;
        if let Some(error) = failed.into_inner().expect("no holder panics") {
            return Err(anyhow::Error::from_boxed(error));
        }
    }
    Ok(())
}

/// Applies one result, and acknowledges it once it is stored in MongoDB.
///
/// A result that does not belong to its subject or cannot be stored is moved to the dead stream. It is redelivered only
/// while a dependency is down.
async fn apply(pipeline: &Shared, refusals: &Refusals, message: Message) {
    crash::step("result.received");
    let result = match judge(&message) {
        Ok(result) => result,
        Err(refused) => return refusals.add(pipeline, message, refused).await,
    };
    let trace =
        trace::of_message(message.headers.as_ref()).unwrap_or_else(|| TraceParent::of_job(result.job_id));
    let (job, stage, attempt, trace_id) = (result.job_id, result.stage, result.attempt, trace.trace_id());
    let span = tracing::info_span!("persist", otel.kind = "consumer", %job, %stage, attempt, trace_id);
    trace::adopt(&trace, &span);
    let applied = persist(pipeline, &result, &message).instrument(span).await;
    acknowledge(&message, applied).await;
    crash::step("result.acknowledged");
}

/// Decodes and checks a result.
fn judge(message: &Message) -> Result<TaskResult, Refused> {
    let foreign = |reason| Refused { stage: None, reason };
    let result: TaskResult = serde_json::from_slice(&message.payload)
        .map_err(|error| foreign(format!("not a result: {error}")))?;
    result.belongs(&message.subject).map_err(foreign)?;
    result.fits().map_err(|reason| Refused {
        stage: Some((result.job_id, result.stage, result.task_id)),
        reason,
    })?;
    Ok(result)
}

/// Stores a result in the record; fails while a dependency is down.
async fn persist(pipeline: &Shared, result: &TaskResult, message: &Message) -> Result<()> {
    let change = |job: &mut Job| plan::finished(job, result, pipeline.times(), DateTime::now());
    match advance::update(pipeline, result.job_id, change).await {
        Ok(Updated::Changed(job)) => {
            crash::step("result.applied");
            tracing::info!(status = %job.status, "stage ended");
            Ok(())
        }
        // Late, repeated, for another task or for a deleted job: the record needs no change.
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => Ok(()),
        Err(error) if error.is_permanent() => {
            let stage = (result.job_id, result.stage, result.task_id);
            reject(pipeline, stage, message.into(), &error.to_string()).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Applies progress messages until the process ends.
pub async fn follow_progress(pipeline: Shared) {
    loop {
        match pipeline
            .queue
            .subscribe(streams::PROGRESS_SUBJECTS, Some(PROGRESS_GROUP))
            .await
        {
            Ok(mut messages) => {
                while let Some(message) = messages.next().await {
                    if let Ok(progress) = serde_json::from_slice::<Progress>(&message.payload)
                        && progress.belongs(&message.subject)
                    {
                        apply_progress(&pipeline, &progress).await;
                    }
                }
            }
            Err(error) => tracing::warn!("the progress subscription failed; retrying: {error}"),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Applies a progress message. Cancels the worker's task when it is no longer current.
async fn apply_progress(pipeline: &Shared, progress: &Progress) {
    let change = |job: &mut Job| plan::progressed(job, progress, pipeline.times(), DateTime::now());
    let wanted = match advance::update(pipeline, progress.job_id, change).await {
        Ok(Updated::Changed(_)) => true,
        Ok(Updated::Unchanged(job)) => {
            let stage = job.stages.get(&progress.stage);
            stage.is_some_and(|stage| stage.task_id == progress.task_id && !stage.status.is_terminal())
        }
        Err(DbError::NotFound) => false,
        Err(error) => {
            tracing::debug!(%error, "progress was not stored");
            true
        }
    };
    if !wanted {
        // The task was cancelled or deleted, or has another result. Inform the worker (again).
        let cancel = Cancel {
            job_id: progress.job_id,
            tasks: vec![progress.task_id],
        };
        let _ = pipeline.queue.cancel(&cancel).await;
        // Other workers must not begin its parts either.
        if progress.parts.is_some() {
            let _ = pipeline.queue.remove_parts(progress.task_id).await;
        }
    }
}
