//! The text of an API key: `vidp_<id>_<secret>`. The id is in the record; only the owner has the secret.

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Prefix of every key. Secret scanners find leaked keys by it.
const PREFIX: &str = "vidp_";
/// Random bytes of a secret: 192 bits.
const SECRET_BYTES: usize = 24;

/// A key as its owner sends it.
#[derive(Clone)]
pub(crate) struct Token {
    /// Names the key in the record and in logs.
    pub(crate) id: Uuid,
    text: String,
}

impl Token {
    /// Generates a key.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn random() -> Result<Token> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).context("the system returned no random numbers")?;
        let (id, secret) = (Uuid::now_v7(), vidp_contract::hex(&secret));
        Ok(Token {
            id,
            text: format!("{PREFIX}{}_{secret}", id.simple()),
        })
    }

    /// Parses a key; `None` if the text does not have the format of a key.
    pub(crate) fn parse(text: &str) -> Option<Token> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        (hex(id, 32) && hex(secret, SECRET_BYTES * 2)).then_some(())?;
        Some(Token {
            id: id.parse().ok()?,
            text: text.to_owned(),
        })
    }

    /// The complete text, which the owner sends.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }
}

/// Omits the secret, so that it does not reach the logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_…", self.id.simple())
    }
}

/// Hashes keys for the record: HMAC-SHA-256 (RFC 2104) with the server's secret.
///
/// A key has 192 random bits. A slow hash, as for passwords, would not make it safer, and would let clients overload the
/// server.
#[derive(Clone)]
pub(crate) struct Hasher(Hmac<Sha256>);

impl Hasher {
    /// Creates a hasher with the server's secret.
    ///
    /// # Errors
    /// None in practice: HMAC accepts secrets of any length.
    pub(crate) fn new(secret: &str) -> Result<Hasher> {
        Ok(Hasher(Hmac::new_from_slice(secret.as_bytes())?))
    }

    /// The hash of a key, in lower-case hexadecimal.
    pub(crate) fn hash(&self, token: &Token) -> String {
        let mut mac = self.0.clone();
        mac.update(token.text.as_bytes());
        vidp_contract::hex(&mac.finalize().into_bytes())
    }

    /// True if the token has this hash. Compares in constant time, so that the duration reveals nothing of the hash.
    pub(crate) fn matches(&self, token: &Token, hash: &str) -> bool {
        self.hash(token).as_bytes().ct_eq(hash.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: bool) {
        assert_eq!(Token::parse(text).is_some(), expected, "{text}");
    }

    #[test]
    fn malformed_keys_are_refused() {
        let (id, secret) = ("0".repeat(32), "a".repeat(48));
        check(Token::random().unwrap().expose(), true);
        check(&format!("vidp_{id}_{secret}"), true);
        check(&format!("vidp_{id}_{secret}0"), false);
        check(&format!("vidp_{id}_"), false);
        check(&format!("VIDP_{id}_{secret}"), false);
        check(&format!("vidp_{}_{secret}", "g".repeat(32)), false);
        check(&format!("vidp_{id}_{}", "é".repeat(24)), false);
        check("", false);
    }

    #[test]
    fn a_hash_is_of_one_key_under_one_secret() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        let hasher = Hasher::new("a secret").unwrap();
        let hash = hasher.hash(&one);
        assert!(hasher.matches(&one, &hash));
        assert!(!hasher.matches(&other, &hash));
        assert!(!hasher.matches(&one, ""));
        assert!(!Hasher::new("another").unwrap().matches(&one, &hash));
        assert!(!format!("{one:?}").contains(&one.expose()[38..]));
    }
}
