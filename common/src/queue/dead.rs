//! The dead stream: messages that could not be processed, each with the reason.

use super::{
    bury::MAX_REASON,
    connection::Queue,
    error::{CALL_TIMEOUT, QueueError, failed, timely},
};
use async_nats::{
    HeaderMap,
    header::NATS_MESSAGE_ID,
    jetstream::{
        message::StreamMessage,
        stream::{DeleteMessageErrorKind, RawMessageErrorKind},
    },
};
use bytes::Bytes;
use time::OffsetDateTime;
use vidp_contract::{Lane, Task, TaskResult, streams};

/// The queue of messages that the API could not process.
pub const RESULTS_QUEUE: &str = "results";

/// The message of a dead letter.
#[derive(Clone, Debug)]
pub enum Original {
    /// A task.
    Task(Task),
    /// A result.
    Result(TaskResult),
}

/// A message of the dead stream.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Sequence number in the stream, which identifies the message.
    pub sequence: u64,
    /// Time when the message was moved to the dead stream.
    pub at: OffsetDateTime,
    /// The queue of the message: a stage, or `results`.
    pub queue: String,
    /// The original subject, if known.
    pub subject: Option<String>,
    /// The reason why it could not be processed.
    pub reason: String,
    /// The number of its deliveries, if known.
    pub deliveries: Option<i64>,
    /// The payload; empty when it was too large to be moved.
    pub payload: Bytes,
}

impl DeadLetter {
    /// The message, if it can be processed: a task of the queue's own stage, or a result that passes its checks.
    ///
    /// A worker chooses the headers and the payload of its dead messages, but the broker accepts them for the queue of
    /// its stage only.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub fn original(&self) -> Result<Original, String> {
        let subject = self.subject.as_deref().unwrap_or_default();
        if self.queue == RESULTS_QUEUE {
            let result: TaskResult = serde_json::from_slice(&self.payload)
                .map_err(|error| format!("the message is not a result: {error}"))?;
            result.belongs(subject).and_then(|()| result.fits())?;
            return Ok(Original::Result(result));
        }
        let task: Task = serde_json::from_slice(&self.payload)
            .map_err(|error| format!("the message is not a task: {error}"))?;
        let stage = task.work.stage();
        let is_own = |lane: &Lane| streams::task(stage, *lane, task.task_id) == subject;
        match self.queue == stage.as_str() && Lane::ALL.iter().any(is_own) {
            true => Ok(Original::Task(task)),
            false => Err(format!(
                "a task of {stage} in the queue {} with the subject {subject:?}",
                self.queue
            )),
        }
    }

    fn read(message: StreamMessage) -> DeadLetter {
        let header = |name| message.headers.get(name).map(|value| value.as_str().to_owned());
        DeadLetter {
            sequence: message.sequence,
            at: message.time,
            queue: message.subject.rsplit('.').next().unwrap_or_default().to_owned(),
            subject: header(streams::DEAD_SUBJECT_HEADER),
            reason: header(streams::DEAD_REASON_HEADER)
                .map(|reason| reason.chars().take(MAX_REASON).collect())
                .unwrap_or_default(),
            deliveries: header(streams::DEAD_DELIVERIES_HEADER).and_then(|text| text.parse().ok()),
            payload: message.payload,
        }
    }
}

impl Queue {
    /// At most `limit` dead messages after the sequence number `behind`, oldest first.
    pub async fn dead_letters(&self, behind: u64, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let (mut found, mut last) = (Vec::new(), behind);
        while found.len() < limit
            && let Some(letter) = self.dead_from(last.saturating_add(1)).await?
        {
            last = letter.sequence;
            found.push(letter);
        }
        Ok(found)
    }

    /// The dead message with this sequence number; `None` when it does not exist.
    pub async fn dead_letter(&self, sequence: u64) -> Result<Option<DeadLetter>, QueueError> {
        let letter = self.dead_from(sequence).await?;
        Ok(letter.filter(|letter| letter.sequence == sequence))
    }

    /// The first dead message at or after this sequence number.
    async fn dead_from(&self, sequence: u64) -> Result<Option<DeadLetter>, QueueError> {
        let stream = self.stream(streams::DEAD).await?;
        let first = stream.get_first_raw_message_by_subject(streams::DEAD_SUBJECTS, sequence);
        match tokio::time::timeout(CALL_TIMEOUT, first).await {
            Ok(Ok(message)) => Ok(Some(DeadLetter::read(message))),
            Ok(Err(error)) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => Ok(None),
            Ok(Err(error)) => Err(failed("dead letter")(error)),
            Err(_) => Err(failed("dead letter")("no answer in time")),
        }
    }

    /// Sends a result in the dead stream back to the results, and then removes it from the dead stream.
    ///
    /// `result` is the letter's [`original`](DeadLetter::original), whose checks it has passed. This order loses no
    /// message. A concurrent call does not send a second copy, because both use the same message id.
    pub async fn resend(&self, letter: &DeadLetter, result: &TaskResult) -> Result<(), QueueError> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, format!("dead-{}", letter.sequence).as_str());
        let subject = streams::result(result.stage, result.task_id);
        self.publish(subject, headers, letter.payload.clone()).await?;
        self.discard(letter.sequence).await.map(drop)
    }

    /// Removes a dead message. False when it does not exist.
    pub async fn discard(&self, sequence: u64) -> Result<bool, QueueError> {
        let stream = self.stream(streams::DEAD).await?;
        let delete = async {
            match stream.delete_message(sequence).await {
                // The broker has no distinct error code for a message that does not exist.
                Err(error) if matches!(error.kind(), DeleteMessageErrorKind::JetStream(_)) => Ok(Err(error)),
                other => other.map(Ok),
            }
        };
        match timely("discard", delete).await? {
            Ok(removed) => Ok(removed),
            Err(error) => match self.dead_letter(sequence).await? {
                None => Ok(false),
                Some(_) => Err(failed("discard")(error)),
            },
        }
    }
}
