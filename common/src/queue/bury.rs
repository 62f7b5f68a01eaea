//! Moving of messages to the dead stream.

use super::{connection::Queue, error::QueueError};
use async_nats::{HeaderMap, header::NATS_MESSAGE_ID, jetstream::Message};
use bytes::Bytes;
use vidp_contract::streams;

/// Maximum length of the reason of a dead message, in characters.
pub(super) const MAX_REASON: usize = 500;

/// A message that cannot be processed, to be moved to the dead stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Subject of the message.
    pub subject: String,
    /// Its payload.
    pub payload: Bytes,
    /// Number of its deliveries, if known.
    pub deliveries: Option<i64>,
    /// Id of the message. The stream stores one dead message for each id within its duplicate window.
    pub id: String,
}

impl Letter {
    /// The id of a message by its place in a stream.
    pub(super) fn id(stream: &str, sequence: u64) -> String {
        format!("{stream}-{sequence}")
    }
}

impl From<&Message> for Letter {
    fn from(message: &Message) -> Letter {
        let info = message.info().ok();
        Letter {
            subject: message.subject.to_string(),
            payload: message.payload.clone(),
            deliveries: info.as_ref().map(|info| info.delivered),
            id: info.map_or_else(String::new, |info| Letter::id(info.stream, info.stream_sequence)),
        }
    }
}

impl Queue {
    /// Copies a message to the dead stream, with the reason; `queue` is a stage or `results`.
    ///
    /// The caller ends the original. A second call for the same message does not store a second copy.
    pub async fn bury(&self, queue: &str, letter: impl Into<Letter>, reason: &str) -> Result<(), QueueError> {
        let letter = letter.into();
        let mut headers = HeaderMap::new();
        // A header value must be one line, and the message must not exceed the size limit of the broker.
        let reason: String = reason
            .replace(['\r', '\n'], " ")
            .chars()
            .take(MAX_REASON)
            .collect();
        headers.insert(streams::DEAD_REASON_HEADER, reason.as_str());
        headers.insert(streams::DEAD_SUBJECT_HEADER, letter.subject.as_str());
        if let Some(deliveries) = letter.deliveries {
            headers.insert(streams::DEAD_DELIVERIES_HEADER, deliveries.to_string().as_str());
        }
        if !letter.id.is_empty() {
            headers.insert(NATS_MESSAGE_ID, letter.id.as_str());
        }
        let subject = streams::dead(queue);
        let published = match self
            .publish(subject.clone(), headers.clone(), letter.payload)
            .await
        {
            // Moved without its payload: otherwise it would stay in the queue for ever.
            Err(error) if error.is_too_large() => self.publish(subject, headers, Bytes::new()).await,
            published => published,
        };
        published.map(drop)
    }
}
