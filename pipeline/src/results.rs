//! What workers say: results, which are stored and applied exactly once, and progress, which may be lost.

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

/// Results asked for at a time. They take milliseconds each, far less than their lease.
const BATCH: usize = 64;
/// How long one request for results waits.
const WAIT: Duration = Duration::from_secs(2);
/// Pause after a failure, and before a result that could not be applied comes again.
const PAUSE: Duration = Duration::from_secs(1);
/// Replicas share the progress messages.
const GROUP: &str = "vidp-api";

/// Applies results until the shutdown.
pub async fn follow_results(pipeline: Shared) {
    let mut outage = LogOnce::default();
    while !pipeline.shutdown.is_cancelled() {
        if let Err(error) = pull(&pipeline, &mut outage).await
            && outage.first_failure()
        {
            tracing::warn!("results cannot be pulled: {error:#}");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
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
            .max_messages(BATCH)
            .expires(WAIT)
            .messages()
            .await?;
        while let Some(message) = batch.next().await {
            apply(pipeline, message.map_err(anyhow::Error::from_boxed)?).await;
        }
    }
    Ok(())
}

/// Applies one result and acknowledges it once MongoDB has it.
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
            Err(_) => AckKind::Nak(Some(PAUSE)),
        },
    };
    // An acknowledgement that gets lost brings the result again, and it changes nothing then.
    if let Err(error) = message.ack_with(kind).await {
        tracing::debug!(%error, "a result was not acknowledged");
    }
    crash::step("result.acknowledged");
}

/// Brings a result into the record, and says what the broker is told.
async fn persist(pipeline: &Shared, result: &TaskResult) -> AckKind {
    let change = |job: &mut Job| plan::finished(job, result, pipeline.times(), DateTime::now());
    match advance::update(pipeline, result.job_id, change).await {
        Ok(Updated::Changed(job)) => {
            crash::step("result.applied");
            tracing::info!(status = %job.status, "stage ended");
            AckKind::Ack
        }
        // Late, twice, for another task or for a deleted job: the record is right as it is.
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => AckKind::Ack,
        Err(error) => {
            tracing::warn!("a result could not be stored yet: {error}");
            AckKind::Nak(Some(PAUSE))
        }
    }
}

/// Applies progress for as long as the process lives.
pub async fn follow_progress(pipeline: Shared) {
    loop {
        match pipeline
            .queue
            .subscribe(streams::PROGRESS_SUBJECTS, Some(GROUP))
            .await
        {
            Ok(mut messages) => {
                while let Some(message) = messages.next().await {
                    if let Ok(progress) = serde_json::from_slice::<Progress>(&message.payload) {
                        apply_progress(&pipeline, &progress).await;
                    }
                }
            }
            Err(error) => tracing::warn!("no progress is heard: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

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
        // Cancelled, deleted or done by somebody else, and the worker does not know: say it (again).
        let cancel = Cancel {
            job_id: progress.job_id,
            tasks: vec![progress.task_id],
        };
        let _ = pipeline.queue.cancel(&cancel).await;
    }
}
