//! Encryption of webhook secrets in the record, so that a copy of the database cannot sign messages.

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Prefix of an encrypted secret: the format's version. The rest is base64 of the nonce and the ciphertext.
const MARK: &str = "sealed:1:";
/// Input of the key derivation. No other use of the server's secret has the same input.
const CONTEXT: &[u8] = b"vidp webhook secrets 1";
/// Length of the nonce in bytes. The cipher `XChaCha20-Poly1305` allows random ones.
const NONCE: usize = 24;

/// Encrypts and decrypts with keys that are derived from the server's secrets.
#[derive(Clone, Default)]
pub struct Vault {
    current: Option<XChaCha20Poly1305>,
    previous: Option<XChaCha20Poly1305>,
}

impl Vault {
    /// Derives the keys. An empty `current` means that secrets are stored unencrypted.
    pub fn new(current: &str, previous: &str) -> Vault {
        Vault {
            current: cipher(current),
            previous: cipher(previous),
        }
    }

    /// Returns true when secrets may be encrypted with the previous key.
    pub fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// Encrypts the secret of a webhook. An encrypted secret is left unchanged.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn seal(&self, webhook: Uuid, secret: &str) -> Result<String, getrandom::Error> {
        let Some(cipher) = self.current.as_ref().filter(|_| !secret.starts_with(MARK)) else {
            return Ok(secret.to_owned());
        };
        let mut sealed = [0; NONCE];
        getrandom::fill(&mut sealed)?;
        let text = Payload {
            msg: secret.as_bytes(),
            aad: webhook.as_bytes(),
        };
        let encrypted = cipher.encrypt(&XNonce::from(sealed), text);
        let encrypted = encrypted.map_err(|_| getrandom::Error::UNEXPECTED)?;
        Ok(format!(
            "{MARK}{}",
            STANDARD.encode([&sealed[..], &encrypted].concat())
        ))
    }

    /// Decrypts the secret of a webhook. A secret that an earlier release stored is returned unchanged; `None` for one
    /// that no key opens.
    pub fn open(&self, webhook: Uuid, stored: &str) -> Option<String> {
        if !stored.starts_with(MARK) {
            return Some(stored.to_owned());
        }
        let mut ciphers = [&self.current, &self.previous].into_iter().flatten();
        ciphers.find_map(|cipher| open(cipher, webhook, stored))
    }

    /// Returns true for a secret that the previous key opens, and not the current one.
    pub fn is_outdated(&self, webhook: Uuid, stored: &str) -> bool {
        let opens = |cipher: &Option<XChaCha20Poly1305>| {
            cipher
                .as_ref()
                .is_some_and(|cipher| open(cipher, webhook, stored).is_some())
        };
        !opens(&self.current) && opens(&self.previous)
    }
}

fn cipher(secret: &str) -> Option<XChaCha20Poly1305> {
    if secret.is_empty() {
        return None;
    }
    let mut key = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).ok()?;
    key.update(CONTEXT);
    XChaCha20Poly1305::new_from_slice(&key.finalize().into_bytes()).ok()
}

fn open(cipher: &XChaCha20Poly1305, webhook: Uuid, stored: &str) -> Option<String> {
    let bytes = STANDARD.decode(stored.strip_prefix(MARK)?).ok()?;
    let (nonce, encrypted) = bytes.split_first_chunk::<NONCE>()?;
    let sealed = Payload {
        msg: encrypted,
        aad: webhook.as_bytes(),
    };
    String::from_utf8(cipher.decrypt(&XNonce::from(*nonce), sealed).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_sealed_secret_opens_for_its_webhook_and_its_key_alone() {
        let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
        let old = Vault::new("the first secret", "");
        let sealed = old.seal(id, SECRET).unwrap();
        assert!(!sealed.contains(&SECRET[6..]) && sealed.starts_with(MARK));
        assert_ne!(sealed, old.seal(id, SECRET).unwrap());
        assert_eq!(old.open(id, &sealed).as_deref(), Some(SECRET));
        assert_eq!(old.open(other, &sealed), None);
        assert_eq!(old.open(id, &sealed[..sealed.len() - 4]), None);
        assert_eq!(Vault::new("another secret", "").open(id, &sealed), None);
        assert_eq!(Vault::default().open(id, &sealed), None);

        let both = Vault::new("the second secret", "the first secret");
        assert_eq!(both.open(id, &sealed).as_deref(), Some(SECRET));
        assert!(both.is_outdated(id, &sealed) && !old.is_outdated(id, &sealed));
        let renewed = both.seal(id, SECRET).unwrap();
        assert!(!both.is_outdated(id, &renewed));
        assert_eq!(
            Vault::new("the second secret", "").open(id, &renewed).as_deref(),
            Some(SECRET)
        );
    }

    #[test]
    fn plain_secrets_of_earlier_releases_are_read() {
        let id = Uuid::now_v7();
        for vault in [Vault::default(), Vault::new("a secret", "")] {
            assert_eq!(vault.open(id, SECRET).as_deref(), Some(SECRET));
            assert!(!vault.is_outdated(id, SECRET));
        }
        assert_eq!(Vault::default().seal(id, SECRET).unwrap(), SECRET);
    }
}
