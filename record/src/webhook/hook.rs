//! Webhooks as they are stored, and what Standard Webhooks 1.0.0 says of their messages. No I/O.

use crate::job::JobStatus;
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a secret begins with ("Signature scheme" in the specification).
const PREFIX: &str = "whsec_";
/// Bytes of a secret: the specification's bounds, and what is made here.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const NEW_KEY_BYTES: usize = 32;

/// Who wants to be told. Collection `webhooks`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Webhook {
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Counts the changes; every update is a compare-and-set on it.
    pub rev: i64,
    pub tenant: String,
    pub url: String,
    /// What is told; everything when empty.
    pub event_types: Vec<EventType>,
    pub description: String,
    pub enabled: bool,
    /// Why it is not, when nobody asked for that.
    pub disabled_reason: Option<DisabledReason>,
    /// The newest first. Every one that is still good signs.
    pub secrets: Vec<Secret>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
}

/// What signs a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secret {
    /// `whsec_` and base64.
    pub key: String,
    /// Set when a newer one took its place.
    pub expires_at: Option<DateTime>,
}

/// Why nothing is sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// It answered 410.
    Gone,
    /// Every try of a delivery failed, and no other delivery succeeded meanwhile.
    Failing,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum EventType {
    /// A job has ended, and every stage is done or had nothing to do.
    #[serde(rename = "job.succeeded")]
    Succeeded,
    /// A job has ended, and some stages failed.
    #[serde(rename = "job.partial")]
    Partial,
    /// A job has ended, and every stage failed.
    #[serde(rename = "job.failed")]
    Failed,
    /// Somebody cancelled a job.
    #[serde(rename = "job.cancelled")]
    Cancelled,
}

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

impl EventType {
    /// What a job's end is.
    pub fn of(status: JobStatus) -> Option<EventType> {
        match status {
            JobStatus::Succeeded => Some(EventType::Succeeded),
            JobStatus::Partial => Some(EventType::Partial),
            JobStatus::Failed => Some(EventType::Failed),
            JobStatus::Cancelled => Some(EventType::Cancelled),
            JobStatus::Uploading | JobStatus::Queued | JobStatus::Running => None,
        }
    }
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

impl Secret {
    /// A new one, from the system's random numbers.
    pub fn random() -> Result<Secret, getrandom::Error> {
        let mut key = [0; NEW_KEY_BYTES];
        getrandom::fill(&mut key)?;
        Ok(Secret {
            key: format!("{PREFIX}{}", STANDARD.encode(key)),
            expires_at: None,
        })
    }

    /// A client's own; none when it is not `whsec_` and the base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Option<Secret> {
        let secret = Secret {
            key: text.to_owned(),
            expires_at: None,
        };
        secret.bytes().filter(|key| KEY_BYTES.contains(&key.len()))?;
        Some(secret)
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.key.strip_prefix(PREFIX)?).ok()
    }

    fn sign(&self, message_id: &str, timestamp: i64, body: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.bytes()?).ok()?;
        mac.update(format!("{message_id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

impl Webhook {
    /// The header `webhook-signature`: one signature for each secret that is good at that time, in seconds.
    pub fn signatures(&self, message_id: &str, timestamp: i64, body: &str) -> String {
        let now = DateTime::from_millis(timestamp * 1000);
        let good = |secret: &&Secret| secret.expires_at.is_none_or(|end| end > now);
        let signatures = self.secrets.iter().filter(good);
        signatures
            .filter_map(|secret| secret.sign(message_id, timestamp, body))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// A new secret signs from now on; those before it do so for a while longer.
    pub fn rotate(&mut self, secret: Secret, overlap: Duration, now: DateTime) {
        let overlap = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX);
        let end = DateTime::from_millis(now.timestamp_millis().saturating_add(overlap));
        for old in &mut self.secrets {
            old.expires_at = Some(old.expires_at.map_or(end, |before| before.min(end)));
        }
        self.secrets
            .retain(|old| old.expires_at.is_some_and(|end| end > now));
        self.secrets.insert(0, secret);
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

    fn webhook(keys: &[(&str, Option<i64>)]) -> Webhook {
        let secret = |(key, end): &(&str, Option<i64>)| Secret {
            key: (*key).to_owned(),
            expires_at: end.map(|end| DateTime::from_millis(end * 1000)),
        };
        Webhook {
            id: Uuid::nil(),
            rev: 1,
            tenant: "t".to_owned(),
            url: String::new(),
            event_types: Vec::new(),
            description: String::new(),
            enabled: true,
            disabled_reason: None,
            secrets: keys.iter().map(secret).collect(),
            created_at: DateTime::MIN,
            updated_at: DateTime::MIN,
        }
    }

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

    #[test]
    fn messages_are_signed_as_in_the_specification() {
        // The example of the libraries of Standard Webhooks.
        let body = r#"{"test": 2432232314}"#;
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let sign = |keys: &[(&str, Option<i64>)]| {
            webhook(keys).signatures("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
        };
        assert_eq!(sign(&[(KEY, None)]), expected);
        let both = sign(&[(OTHER, None), (KEY, Some(1_614_265_331))]);
        assert!(
            both.starts_with("v1,") && both.ends_with(&format!(" {expected}")),
            "{both}"
        );
        assert!(!sign(&[(OTHER, None), (KEY, Some(1_614_265_330))]).contains(expected));
    }

    #[test]
    fn rotation_keeps_the_old_secret_for_a_while() {
        let at = |seconds: i64| DateTime::from_millis(seconds * 1000);
        let mut hook = webhook(&[(KEY, None)]);
        let hour = Duration::from_secs(3600);
        hook.rotate(Secret::parse(OTHER).unwrap(), hour, at(100));
        hook.rotate(Secret::random().unwrap(), hour * 2, at(200));
        let ends: Vec<_> = hook.secrets.iter().map(|secret| secret.expires_at).collect();
        assert_eq!(ends, [None, Some(at(7400)), Some(at(3700))]);
        hook.rotate(Secret::random().unwrap(), Duration::ZERO, at(300));
        assert_eq!(hook.secrets.len(), 1);
    }

    #[test]
    fn secrets_are_long_enough() {
        let check = |text: &str, good: bool| assert_eq!(Secret::parse(text).is_some(), good, "{text}");
        check(KEY, true);
        check(&Secret::random().unwrap().key, true);
        check("whsec_", false);
        check("whsec_AAECAw==", false);
        check(KEY.strip_prefix("whsec_").unwrap(), false);
        check(&format!("whsec_{}", STANDARD.encode([1; 64])), true);
        check(&format!("whsec_{}", STANDARD.encode([1; 65])), false);
        check("whsec_*fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false);
    }

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
