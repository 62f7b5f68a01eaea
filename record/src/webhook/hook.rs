//! The document of a webhook.

use super::{event::EventType, secret::Secret};
use crate::time::later;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// A registered webhook. MongoDB, collection `webhooks`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Webhook {
    /// UUIDv7.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Revision. Every update is a compare-and-set on it.
    pub rev: i64,
    /// Owner of the webhook, and of the jobs that it is about.
    pub tenant: String,
    /// Receiver of the messages.
    pub url: String,
    /// Event types to send; all when empty.
    pub event_types: Vec<EventType>,
    /// Description for display.
    pub description: String,
    /// False when no messages are sent.
    pub enabled: bool,
    /// Reason when VidP disabled the webhook; `None` when its owner did.
    pub disabled_reason: Option<DisabledReason>,
    /// Secrets, newest first. Every secret that has not expired signs.
    pub secrets: Vec<Secret>,
    /// Time of creation.
    pub created_at: DateTime,
    /// Time of the latest change.
    pub updated_at: DateTime,
}

/// Reason why VidP disabled a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// The receiver answered 410.
    Gone,
    /// All tries of a delivery failed, and no other delivery succeeded in that time.
    Failing,
}

impl Webhook {
    /// Returns the header `webhook-signature`: one signature for each secret that is valid at `timestamp` (Unix
    /// seconds).
    pub fn signatures(&self, message_id: &str, timestamp: i64, body: &str) -> String {
        let now = DateTime::from_millis(timestamp * 1000);
        let is_valid = |secret: &&Secret| secret.expires_at.is_none_or(|end| end > now);
        let signatures = self.secrets.iter().filter(is_valid);
        signatures
            .filter_map(|secret| secret.sign(message_id, timestamp, body))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Adds a secret that signs from now on. Older secrets expire after `overlap`.
    pub fn rotate(&mut self, secret: Secret, overlap: Duration, now: DateTime) {
        let end = later(now, overlap);
        for old in &mut self.secrets {
            old.expires_at = Some(old.expires_at.map_or(end, |before| before.min(end)));
        }
        self.secrets
            .retain(|old| old.expires_at.is_some_and(|end| end > now));
        self.secrets.insert(0, secret);
    }
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
}
