//! The text of an API key: `vidp_<id>_<secret>`. The id is in the record, the secret in its owner's hands alone.

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// What every key begins with, so that scanners find one that leaked.
const PREFIX: &str = "vidp_";
/// Random bytes of a secret: 192 bits.
const SECRET_BYTES: usize = 24;

/// A key as its owner sends it.
#[derive(Clone)]
pub struct Token {
    /// Names the key in the record and in logs.
    pub id: Uuid,
    text: String,
}

impl Token {
    /// A new one.
    pub fn random() -> Result<Token> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).context("no random numbers")?;
        let (id, secret) = (Uuid::now_v7(), vidp_contract::hex(&secret));
        Ok(Token {
            id,
            text: format!("{PREFIX}{}_{secret}", id.simple()),
        })
    }

    /// Reads one; `None` when it cannot be a key.
    pub fn parse(text: &str) -> Option<Token> {
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

    /// What its owner sends.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

/// The secret stays out of logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_…", self.id.simple())
    }
}

/// Turns keys into what may be stored: HMAC-SHA-256 (RFC 2104) under the server's own secret. A key has 192 random
/// bits, so that a slow hash, as passwords need, would add nothing but a way to keep the server busy.
#[derive(Clone)]
pub struct Hasher(Hmac<Sha256>);

impl Hasher {
    /// With the server's secret.
    pub fn new(secret: &str) -> Result<Hasher> {
        Ok(Hasher(Hmac::new_from_slice(secret.as_bytes())?))
    }

    /// Lower-case hexadecimal.
    pub fn hash(&self, token: &Token) -> String {
        let mut mac = self.0.clone();
        mac.update(token.text.as_bytes());
        vidp_contract::hex(&mac.finalize().into_bytes())
    }

    /// Whether the token is the one with this hash, in a time that does not tell how much of it is right.
    pub fn matches(&self, token: &Token, hash: &str) -> bool {
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
    fn what_cannot_be_a_key_is_none() {
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
