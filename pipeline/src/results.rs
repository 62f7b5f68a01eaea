//! Messages from workers: results, which are durable and applied exactly once, and progress, which may be lost.

use crate::{Shared, advance};
use anyhow::Result;
use async_nats::jetstream::{AckKind, Message, consumer::PullConsumer};
use futures_util::StreamExt;
use std::time::Duration;
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
/// Time that one pull waits for results.
const PULL_WAIT: Duration = Duration::from_secs(2);
/// Pause after a failure, and before the redelivery of a result that could not be applied.
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
    pipeline.queue.ensure().await?;
    let consumer: PullConsumer = pipeline.queue.results_consumer().await?;
    outage.recovered();
    while !pipeline.shutdown.is_cancelled() {
        let mut batch = consumer
            .batch()
            .max_messages(PULL_BATCH)
            .expires(PULL_WAIT)
            .messages()
            .await?;
        while let Some(message) = batch.next().await {
            apply(pipeline, message.map_err(anyhow::Error::from_boxed)?).await;
        }
    }
    Ok(())
}

/// Applies one result, and acknowledges it once it is stored in MongoDB.
async fn apply(pipeline: &Shared, message: Message) {
    crash::step("result.received");
    let kind = match serde_json::from_slice::<TaskResult>(&message.payload) {
        Ok(result) => {
            let trace = trace::of_message(message.headers.as_ref())
                .unwrap_or_else(|| TraceParent::of_job(result.job_id));
            let (job, stage, attempt, trace_id) =
                (result.job_id, result.stage, result.attempt, trace.trace_id());
            let span =
                tracing::info_span!("persist", otel.kind = "consumer", %job, %stage, attempt, trace_id);
            trace::adopt(&trace, &span);
            persist(pipeline, &result).instrument(span).await
        }
        Err(error) => match pipeline
            .queue
            .bury("results", &message, &format!("not a result: {error}"))
            .await
        {
            Ok(()) => {
                tracing::error!(subject = %message.subject, "an undecodable result was moved to the dead stream: {error}");
                AckKind::Ack
            }
            Err(_) => AckKind::Nak(Some(RETRY_PAUSE)),
        },
    };
    // After a lost acknowledgement the result is redelivered and changes nothing.
    if let Err(error) = message.ack_with(kind).await {
        tracing::debug!(%error, "a result was not acknowledged");
    }
    crash::step("result.acknowledged");
}

/// Stores a result in the record. Returns the acknowledgement for the broker.
async fn persist(pipeline: &Shared, result: &TaskResult) -> AckKind {
    let change = |job: &mut Job| plan::finished(job, result, pipeline.times(), DateTime::now());
    match advance::update(pipeline, result.job_id, change).await {
        Ok(Updated::Changed(job)) => {
            crash::step("result.applied");
            tracing::info!(status = %job.status, "stage ended");
            AckKind::Ack
        }
        // Late, repeated, for another task or for a deleted job: the record needs no change.
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => AckKind::Ack,
        Err(error) => {
            tracing::warn!("a result could not be stored yet; it will be redelivered: {error}");
            AckKind::Nak(Some(RETRY_PAUSE))
        }
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
                    if let Ok(progress) = serde_json::from_slice::<Progress>(&message.payload) {
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
    }
}
