//! The document of a delivery, and the retry schedule.

use super::event::EventType;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// A message to one webhook. MongoDB, collection `deliveries`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// UUIDv7.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Owner of the webhook.
    pub tenant: String,
    /// The receiving webhook.
    #[serde(with = "uuid::serde::hyphenated")]
    pub webhook_id: Uuid,
    /// The header `webhook-id`: the same at every try and for every webhook.
    pub message_id: String,
    /// Type of the event.
    pub event_type: EventType,
    /// The job that the message is about.
    #[serde(with = "uuid::serde::hyphenated")]
    pub job_id: Uuid,
    /// Body of the request, byte for byte. Stored in the message; only documents of earlier releases have their own. `None`
    /// when the message has been removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// State of the delivery.
    pub state: DeliveryState,
    /// Time of the next try. During a try: end of the claim, after which another replica may try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime>,
    /// Number of tries so far; a replay starts again at 0.
    pub attempt: i32,
    /// The latest tries, oldest first.
    pub attempts: Vec<Attempt>,
    /// Time of creation.
    pub created_at: DateTime,
    /// Time at which MongoDB deletes this document; set when the delivery has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime>,
}

/// State of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// A try is due or scheduled.
    Pending,
    /// The receiver answered 2xx.
    Delivered,
    /// All tries failed.
    Failed,
}

/// One try of a delivery.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Start of the try.
    pub at: DateTime,
    /// HTTP status of the answer.
    pub status: Option<i32>,
    /// Reason why there was no answer.
    pub error: Option<String>,
    /// Duration of the try.
    pub milliseconds: i64,
}

impl DeliveryState {
    /// The states of an ended delivery.
    pub const ENDED: [DeliveryState; 2] = [DeliveryState::Delivered, DeliveryState::Failed];

    /// Returns the name in documents and queries.
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        }
    }
}

/// Returns the pause after `attempts` failed tries; `None` when that was the last try.
///
/// `asked` is the pause that the receiver asked for (`Retry-After`); the longer one counts. `chance`, 0 to 1, lengthens a
/// pause of the schedule by up to a fifth and a pause of the receiver by up to a twentieth, so that deliveries that failed
/// together are not retried together.
pub fn pause(schedule: &[u64], attempts: i32, asked: Duration, chance: f64) -> Option<Duration> {
    let before = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let scheduled = Duration::from_secs(*schedule.get(before)?).mul_f64(1.0 + chance / 5.0);
    Some(scheduled.max(asked.mul_f64(1.0 + chance / 20.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_later_and_later_and_then_no_more() {
        let check = |attempts, chance, expected: Option<f64>| {
            let pause = pause(&[5, 300], attempts, Duration::ZERO, chance);
            assert_eq!(pause.map(|pause| pause.as_secs_f64()), expected);
        };
        check(0, 0.0, None);
        check(1, 0.0, Some(5.0));
        check(1, 1.0, Some(6.0));
        check(2, 0.5, Some(330.0));
        check(3, 0.0, None);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause() {
        let check = |attempts, asked, chance, expected: Option<f64>| {
            let pause = pause(&[5, 300], attempts, Duration::from_secs(asked), chance);
            assert_eq!(pause.map(|pause| pause.as_secs_f64()), expected);
        };
        check(1, 20, 0.0, Some(20.0));
        check(1, 20, 1.0, Some(21.0));
        check(1, 1, 1.0, Some(6.0));
        check(2, 20, 0.0, Some(300.0));
        check(2, 3600, 0.0, Some(3600.0));
        check(3, 20, 0.0, None);
    }
}
