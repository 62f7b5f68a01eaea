//! The dead stream: messages that could not be processed, each with the reason.

use super::{
    connection::Queue,
    error::{CALL_TIMEOUT, QueueError, failed, timely},
};
use async_nats::{
    HeaderMap,
    header::NATS_MESSAGE_ID,
    jetstream::{
        Message,
        message::StreamMessage,
        stream::{DeleteMessageErrorKind, RawMessageErrorKind},
    },
};
use bytes::Bytes;
use time::OffsetDateTime;
use vidp_contract::streams;

/// Maximum length of the reason of a dead message, in characters.
const MAX_REASON: usize = 500;

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
    /// The original subject, if a consumer reads it; only then can the message be sent there again.
    pub fn home(&self) -> Option<&str> {
        let home = |subject: &&str| {
            ["vidp.tasks.", "vidp.results."]
                .iter()
                .any(|one| subject.starts_with(one))
        };
        self.subject.as_deref().filter(home)
    }

    fn read(message: StreamMessage) -> DeadLetter {
        let header = |name| message.headers.get(name).map(|value| value.as_str().to_owned());
        DeadLetter {
            sequence: message.sequence,
            at: message.time,
            queue: message.subject.rsplit('.').next().unwrap_or_default().to_owned(),
            subject: header(streams::DEAD_SUBJECT_HEADER),
            reason: header(streams::DEAD_REASON_HEADER).unwrap_or_default(),
            deliveries: header(streams::DEAD_DELIVERIES_HEADER).and_then(|text| text.parse().ok()),
            payload: message.payload,
        }
    }
}

impl Queue {
    /// Copies a message to the dead stream, with the reason; `queue` is a stage or `results`.
    ///
    /// The caller ends the original.
    pub async fn bury(&self, queue: &str, message: &Message, reason: &str) -> Result<(), QueueError> {
        let mut headers = HeaderMap::new();
        // A header value must be one line, and the message must not exceed the size limit of the broker.
        let reason: String = reason
            .replace(['\r', '\n'], " ")
            .chars()
            .take(MAX_REASON)
            .collect();
        headers.insert(streams::DEAD_REASON_HEADER, reason.as_str());
        headers.insert(streams::DEAD_SUBJECT_HEADER, message.subject.as_str());
        if let Ok(info) = message.info() {
            headers.insert(
                streams::DEAD_DELIVERIES_HEADER,
                info.delivered.to_string().as_str(),
            );
        }
        let subject = streams::dead(queue);
        match self
            .publish(subject.clone(), headers.clone(), message.payload.clone())
            .await
        {
            // Moved without its payload: otherwise it would stay in the queue for ever.
            Err(error) if error.is_too_large() => self.publish(subject, headers, Bytes::new()).await,
            published => published,
        }
    }

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

    /// Sends a dead message back to its original subject, and then removes it from the dead stream.
    ///
    /// This order loses no message. A concurrent call does not send a second copy, because both use the same message
    /// id. Returns false when the task is queued already.
    ///
    /// # Panics
    /// Panics when the message has no [`DeadLetter::home`].
    pub async fn redrive(&self, letter: &DeadLetter) -> Result<bool, QueueError> {
        let home = letter.home().expect("a consumer reads the subject").to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, format!("dead-{}", letter.sequence).as_str());
        match self.publish(home, headers, letter.payload.clone()).await {
            Err(error) if error.is_already_stored() => return Ok(false),
            sent => sent?,
        }
        self.discard(letter.sequence).await?;
        Ok(true)
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
