//! Secrets that sign a webhook's messages.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Prefix of a secret ("Signature scheme" in the specification).
const PREFIX: &str = "whsec_";

/// Accepted length of a secret in bytes, from the specification.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Length of a generated secret in bytes.
const NEW_KEY_BYTES: usize = 32;

/// A secret that signs messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secret {
    /// `whsec_` and base64. In the record: as [`Vault`](super::Vault) encrypts it.
    pub key: String,
    /// End of validity; set when a newer secret replaces this one.
    pub expires_at: Option<DateTime>,
}

impl Secret {
    /// Generates a secret from the system's random numbers.
    pub fn random() -> Result<Secret, getrandom::Error> {
        let mut key = [0; NEW_KEY_BYTES];
        getrandom::fill(&mut key)?;
        Ok(Secret {
            key: format!("{PREFIX}{}", STANDARD.encode(key)),
            expires_at: None,
        })
    }

    /// Parses a client's own secret. Returns `None` unless it is `whsec_` and the base64 of 24 to 64 bytes.
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

    pub(super) fn sign(&self, message_id: &str, timestamp: i64, body: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.bytes()?).ok()?;
        mac.update(format!("{message_id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn secrets_are_long_enough() {
        let check = |text: &str, valid: bool| assert_eq!(Secret::parse(text).is_some(), valid, "{text}");
        check(KEY, true);
        check(&Secret::random().unwrap().key, true);
        check("whsec_", false);
        check("whsec_AAECAw==", false);
        check(KEY.strip_prefix("whsec_").unwrap(), false);
        check(&format!("whsec_{}", STANDARD.encode([1; 64])), true);
        check(&format!("whsec_{}", STANDARD.encode([1; 65])), false);
        check("whsec_*fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false);
    }
}
