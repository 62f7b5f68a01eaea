//! Look-up and removal of stored messages.

use super::{
    connection::Queue,
    error::{CALL_TIMEOUT, QueueError, failed, timely},
};
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bytes::Bytes;
use uuid::Uuid;
use vidp_contract::{Lane, Stage, TaskResult, streams};

impl Queue {
    /// True while the task waits in the stream or runs.
    pub async fn holds_task(&self, stage: Stage, lane: Lane, task_id: Uuid) -> Result<bool, QueueError> {
        let subject = streams::task(stage, lane, task_id);
        Ok(self.last(streams::TASKS, &subject).await?.is_some())
    }

    /// The result of a task, if the stream still has one: for [`streams::RESULTS_AGE`] after its publication.
    pub async fn stored_result(&self, stage: Stage, task_id: Uuid) -> Result<Option<TaskResult>, QueueError> {
        let payload = self
            .last(streams::RESULTS, &streams::result(stage, task_id))
            .await?;
        Ok(payload.and_then(|payload| serde_json::from_slice(&payload).ok()))
    }

    async fn last(&self, stream: &str, subject: &str) -> Result<Option<Bytes>, QueueError> {
        let stream = self.stream(stream).await?;
        match tokio::time::timeout(CALL_TIMEOUT, stream.get_last_raw_message_by_subject(subject)).await {
            Ok(Ok(message)) => Ok(Some(message.payload)),
            Ok(Err(error)) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Ok(Err(error)) => Err(failed("look-up")(error)),
            Err(_) => Err(failed("look-up")("no answer in time")),
        }
    }

    /// Removes a task from the stream, whether it waits or runs.
    pub async fn remove_task(&self, stage: Stage, lane: Lane, task_id: Uuid) -> Result<(), QueueError> {
        let stream = self.stream(streams::TASKS).await?;
        let purge = stream.purge().filter(streams::task(stage, lane, task_id));
        timely("purge", purge.into_future()).await.map(drop)
    }
}
