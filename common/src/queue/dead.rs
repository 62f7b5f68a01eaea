//! The dead stream: messages that nobody could work on, each with the reason.

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

/// Longest reason of a dead message, in characters.
const MAX_REASON: usize = 500;

/// A message of the dead stream.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Its place in the stream, which names it.
    pub sequence: u64,
    /// When it was moved there.
    pub at: OffsetDateTime,
    /// Whose it was: a stage, or `results`.
    pub queue: String,
    /// The subject it had, if it is known.
    pub subject: Option<String>,
    /// Why it is dead.
    pub reason: String,
    /// How often it had been delivered, if that is known.
    pub deliveries: Option<i64>,
    /// What it says; empty when it was too large to be moved.
    pub payload: Bytes,
}

impl DeadLetter {
    /// The subject, when it is one that has a consumer.
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
    /// Moves a message to the dead stream, with the reason; `queue` is a stage or `results`.
    pub async fn bury(&self, queue: &str, message: &Message, reason: &str) -> Result<(), QueueError> {
        let mut headers = HeaderMap::new();
        // A header value must be one line, and the message must not become larger than the broker takes.
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
            // Without what it says rather than for ever in the queue.
            Err(error) if error.is_too_large() => self.publish(subject, headers, Bytes::new()).await,
            published => published,
        }
    }

    /// At most `limit` dead messages behind this one, oldest first.
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

    /// One dead message.
    pub async fn dead_letter(&self, sequence: u64) -> Result<Option<DeadLetter>, QueueError> {
        let letter = self.dead_from(sequence).await?;
        Ok(letter.filter(|letter| letter.sequence == sequence))
    }

    /// The first at this place or behind it.
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

    /// Sends a dead message to where it came from, and takes it from the dead stream: in this order, so that none is
    /// lost. Whoever does so at the same time sends no second one, by its message id. False when a message with this
    /// subject is queued already: a task's twin.
    ///
    /// # Panics
    /// When it has no [`DeadLetter::home`].
    pub async fn redrive(&self, letter: &DeadLetter) -> Result<bool, QueueError> {
        let home = letter.home().expect("somebody takes it").to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, format!("dead-{}", letter.sequence).as_str());
        match self.publish(home, headers, letter.payload.clone()).await {
            Err(error) if error.is_already_stored() => return Ok(false),
            sent => sent?,
        }
        self.discard(letter.sequence).await?;
        Ok(true)
    }

    /// Removes a dead message. False when it is not there.
    pub async fn discard(&self, sequence: u64) -> Result<bool, QueueError> {
        let stream = self.stream(streams::DEAD).await?;
        let delete = async {
            match stream.delete_message(sequence).await {
                // The broker has no code of its own for a message that is not there.
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
