//! Dead letters as clients see them.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_common::queue::DeadLetter;

/// A message that could not be processed.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterView {
    /// Sequence number in the dead-letter stream.
    #[schema(minimum = 1)]
    id: u64,
    /// Queue that could not process the message: a stage, or `results`, which the API reads.
    queue: String,
    /// Subject of the message; null when another program put it into the stream.
    subject: Option<String>,
    /// Why the message could not be processed.
    reason: String,
    /// Number of deliveries of the message.
    deliveries: Option<i64>,
    /// When the message was moved to the dead-letter stream.
    #[schema(value_type = String, format = DateTime)]
    dead_at: Option<String>,
    /// The `job_id` in the message, if it can be read.
    job_id: Option<Uuid>,
    /// The `task_id` in the message, if it can be read.
    task_id: Option<Uuid>,
    /// Size of the message in bytes.
    size: usize,
    /// The message. Lists do not contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    payload: Option<Payload>,
}

/// The message, in the first encoding that represents it: JSON, UTF-8 text or base64.
#[derive(Serialize, ToSchema)]
#[serde(tag = "encoding", content = "data", rename_all = "snake_case")]
#[schema(as = DeadLetterPayload)]
enum Payload {
    Json(Value),
    Text(String),
    Base64(String),
}

/// A dead letter without its message.
pub(super) fn summary(letter: &DeadLetter) -> DeadLetterView {
    let message = serde_json::from_slice::<Value>(&letter.payload).unwrap_or_default();
    let id = |name: &str| message[name].as_str().and_then(|id| id.parse().ok());
    DeadLetterView {
        id: letter.sequence,
        queue: letter.queue.clone(),
        subject: letter.subject.clone(),
        reason: letter.reason.clone(),
        deliveries: letter.deliveries,
        dead_at: letter.at.format(&Rfc3339).ok(),
        job_id: id("job_id"),
        task_id: id("task_id"),
        size: letter.payload.len(),
        payload: None,
    }
}

/// A dead letter with its message.
pub(super) fn with_payload(letter: &DeadLetter) -> DeadLetterView {
    DeadLetterView {
        payload: Some(payload(letter)),
        ..summary(letter)
    }
}

fn payload(letter: &DeadLetter) -> Payload {
    match (
        serde_json::from_slice(&letter.payload),
        std::str::from_utf8(&letter.payload),
    ) {
        (Ok(value), _) => Payload::Json(value),
        (_, Ok(text)) => Payload::Text(text.to_owned()),
        _ => Payload::Base64(STANDARD.encode(&letter.payload)),
    }
}
