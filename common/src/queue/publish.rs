//! Publishing of messages.

use super::{
    cancel::Cancel,
    connection::Queue,
    error::{CALL_TIMEOUT, QueueError, failed, timely},
};
use crate::trace;
use async_nats::{HeaderMap, jetstream::context::PublishErrorKind};
use bytes::Bytes;
use tracing::Instrument;
use vidp_contract::{Lane, Progress, Task, TaskResult, TraceParent, streams};

impl Queue {
    /// Queues a task; `trace` is its cause. Returns false, without a second copy, when the task is queued already.
    pub async fn publish_task(
        &self,
        lane: Lane,
        task: &Task,
        trace: &TraceParent,
    ) -> Result<bool, QueueError> {
        let stage = task.work.stage();
        let span = tracing::info_span!("publish", otel.kind = "producer", %stage, job = %task.job_id);
        trace::adopt(trace, &span);
        let subject = streams::task(stage, lane, task.task_id);
        let publish = self.publish(subject, trace::headers(trace, &span), encode(task));
        match publish.instrument(span).await {
            Err(error) if error.is_already_stored() => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// Stores a result. Its cause is the current span; `trace` is the cause of the task, used without an exporter.
    pub async fn publish_result(&self, result: &TaskResult, trace: &TraceParent) -> Result<(), QueueError> {
        let span = tracing::info_span!("result", otel.kind = "producer");
        let subject = streams::result(result.stage, result.task_id);
        let publish = self.publish(subject, trace::headers(trace, &span), encode(result));
        publish.instrument(span).await.map(drop)
    }

    /// Publishes a message, waits until the stream has stored it, and returns its sequence number. Creates the streams if they
    /// are missing.
    pub(super) async fn publish(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<u64, QueueError> {
        let publish = async || {
            let sent = self
                .jetstream
                .publish_with_headers(subject.clone(), headers.clone(), payload.clone());
            sent.await?.await.map(|stored| stored.sequence)
        };
        match tokio::time::timeout(CALL_TIMEOUT, publish()).await {
            Ok(Err(error)) if error.kind() == PublishErrorKind::StreamNotFound => {
                self.restore().await?;
                timely("publish", publish()).await
            }
            Ok(published) => published.map_err(failed("publish")),
            Err(_) => Err(failed("publish")("no answer in time")),
        }
    }

    /// Requests that the workers of these tasks stop. The message may be lost.
    pub async fn cancel(&self, cancel: &Cancel) -> Result<(), QueueError> {
        let payload = encode(&cancel.tasks);
        timely(
            "cancel",
            self.client.publish(streams::cancel(cancel.job_id), payload),
        )
        .await
    }

    /// Sends progress. The message may be lost.
    pub async fn progress(&self, progress: &Progress) -> Result<(), QueueError> {
        let subject = streams::progress(progress.job_id);
        timely("progress", self.client.publish(subject, encode(progress))).await
    }
}

pub(super) fn encode(message: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(message)
        .expect("messages have string keys and no failing serializer")
        .into()
}
