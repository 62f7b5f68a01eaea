//! One message to one webhook.

use super::event::EventType;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// One message to one webhook. Collection `deliveries`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    pub tenant: String,
    #[serde(with = "uuid::serde::hyphenated")]
    pub webhook_id: Uuid,
    /// The header `webhook-id`: the same at every try, and for every webhook that is told.
    pub message_id: String,
    pub event_type: EventType,
    #[serde(with = "uuid::serde::hyphenated")]
    pub job_id: Uuid,
    /// What is sent, to the byte.
    pub body: String,
    pub state: DeliveryState,
    /// When it is tried next; while somebody tries, when somebody else would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<DateTime>,
    /// Tries so far; a replay begins again.
    pub attempt: i32,
    /// The latest tries, oldest first.
    pub attempts: Vec<Attempt>,
    pub created_at: DateTime,
    /// When MongoDB drops it from the log; set when it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime>,
}

/// Whether a message has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be tried (again).
    Pending,
    /// The receiver answered 2xx.
    Delivered,
    /// Given up.
    Failed,
}

/// One try.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    pub at: DateTime,
    /// The answer's status.
    pub status: Option<i32>,
    /// Why there was none.
    pub error: Option<String>,
    pub milliseconds: i64,
}

impl DeliveryState {
    /// The name in documents and queries.
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        }
    }
}

/// How long to wait after so many failed tries; none when that was the last. `chance` is 0 to 1: up to a fifth longer,
/// so that what failed together does not come back together.
pub fn pause(schedule: &[u64], attempts: i32, chance: f64) -> Option<Duration> {
    let before = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let seconds = Duration::from_secs(*schedule.get(before)?);
    Some(seconds.mul_f64(1.0 + chance / 5.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_later_and_later_and_then_no_more() {
        let check = |attempts, chance, expected: Option<f64>| {
            let pause = pause(&[5, 300], attempts, chance).map(|pause| pause.as_secs_f64());
            assert_eq!(pause, expected);
        };
        check(0, 0.0, None);
        check(1, 0.0, Some(5.0));
        check(1, 1.0, Some(6.0));
        check(2, 0.5, Some(330.0));
        check(3, 0.0, None);
    }
}
