//! Look-up and removal of stored messages.

use super::{
    bury::Letter,
    connection::Queue,
    error::{CALL_TIMEOUT, QueueError, failed, timely},
};
use async_nats::jetstream::{message::StreamMessage, stream::LastRawMessageErrorKind};
use uuid::Uuid;
use vidp_contract::{Lane, Stage, TaskResult, streams};

/// A result in the stream, and the letter that buries it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResult {
    /// The result.
    pub result: TaskResult,
    /// Its message.
    pub letter: Letter,
}

impl Queue {
    /// True while the task waits in the stream or runs.
    ///
    /// A message that its consumer has passed is never delivered. It is removed, so that the task can be published again. A broker
    /// that does not sync every write may have such messages after a power cut: it remembers acknowledgements, and not the
    /// removal of their messages.
    pub async fn holds_task(&self, stage: Stage, lane: Lane, task_id: Uuid) -> Result<bool, QueueError> {
        let subject = streams::task(stage, lane, task_id);
        let Some(message) = self.last(streams::TASKS, &subject).await? else {
            return Ok(false);
        };
        let consumer = streams::consumer(stage, lane);
        let info = self.consumer_info(streams::TASKS, &consumer).await?;
        // All messages up to the floor are acknowledged, and a work queue has removed those.
        let is_passed = info.is_some_and(|info| message.sequence <= info.ack_floor.stream_sequence);
        if is_passed {
            tracing::warn!(consumer, %task_id, "a task was stranded in its stream and is removed");
            self.remove_task(stage, lane, task_id).await?;
        }
        Ok(!is_passed)
    }

    /// The result of a task, if the stream still has one: for [`streams::RESULTS_AGE`] after its publication.
    ///
    /// A message that is no result of this task counts as none; the consumer of results buries it.
    pub async fn stored_result(
        &self,
        stage: Stage,
        task_id: Uuid,
    ) -> Result<Option<StoredResult>, QueueError> {
        let subject = streams::result(stage, task_id);
        let Some(message) = self.last(streams::RESULTS, &subject).await? else {
            return Ok(None);
        };
        let result = serde_json::from_slice::<TaskResult>(&message.payload).ok();
        let result = result.filter(|result| result.belongs(&subject).is_ok());
        Ok(result.map(|result| StoredResult {
            result,
            letter: Letter {
                id: Letter::id(streams::RESULTS, message.sequence),
                subject,
                payload: message.payload,
                deliveries: None,
            },
        }))
    }

    pub(super) async fn last(
        &self,
        stream: &str,
        subject: &str,
    ) -> Result<Option<StreamMessage>, QueueError> {
        let stream = self.stream(stream).await?;
        match tokio::time::timeout(CALL_TIMEOUT, stream.get_last_raw_message_by_subject(subject)).await {
            Ok(Ok(message)) => Ok(Some(message)),
            Ok(Err(error)) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Ok(Err(error)) => Err(failed("look-up")(error)),
            Err(_) => Err(failed("look-up")("no answer in time")),
        }
    }

    /// Removes a task and the offers of its parts from their streams, whether they wait or run.
    pub async fn remove_task(&self, stage: Stage, lane: Lane, task_id: Uuid) -> Result<(), QueueError> {
        let stream = self.stream(streams::TASKS).await?;
        let purge = stream.purge().filter(streams::task(stage, lane, task_id));
        timely("purge", purge.into_future()).await?;
        if stage == streams::PARTS_STAGE {
            self.remove_parts(task_id).await?;
        }
        Ok(())
    }

    /// Removes the offers of the parts of a task from their stream.
    pub async fn remove_parts(&self, task_id: Uuid) -> Result<(), QueueError> {
        let stream = self.stream(streams::PARTS).await?;
        let purge = stream.purge().filter(streams::parts(task_id));
        timely("purge", purge.into_future()).await.map(drop)
    }
}
