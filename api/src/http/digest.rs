//! Digests of request bodies: `Content-Digest` and `Repr-Digest` (RFC 9530), and their predecessor `Digest` (RFC 3230).
//!
//! The digest covers the bytes of the request's body, also of a form. Only SHA-256 is checked. Other algorithms are
//! ignored, as RFC 9530 §2 permits. An unreadable field is an error, as RFC 9651 §4.2 permits: a client that sends a
//! digest wants it checked.

use crate::http::problem::{Code, Problem};
use axum::{
    body::{Body, BodyDataStream, Bytes},
    http::HeaderMap,
};
use futures_util::StreamExt;
use sfv::{Dictionary, ListEntry, Parser};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, sync::Arc};
use tokio::sync::Mutex;
use vidp_contract::hex;

/// The expected SHA-256 of the body, one per header field, in lower-case hexadecimal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected(Vec<String>);

impl Expected {
    /// Reads the header fields; 400 for an unreadable one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Expected, Problem> {
        let mut found = Vec::new();
        for name in ["repr-digest", "content-digest", "digest"] {
            let values: Vec<_> = headers
                .get_all(name)
                .iter()
                .map(|value| value.to_str().unwrap_or("\0"))
                .collect();
            if values.is_empty() {
                continue;
            }
            let joined = values.join(", ");
            let text = if name == "digest" {
                Cow::Owned(as_dictionary(&joined))
            } else {
                Cow::Borrowed(&*joined)
            };
            found.extend(sha256(&text).map_err(|()| {
                Problem::invalid(format!(
                    "{name}: invalid digest; expected `sha-256=:…:` with 32 bytes in base64"
                ))
            })?);
        }
        Ok(Expected(found))
    }

    /// True if the client sent no SHA-256.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// 422 if `found` differs from the announced digest.
    pub(crate) fn check(&self, found: &str) -> Result<(), Problem> {
        match self.0.iter().find(|expected| *expected != found) {
            None => Ok(()),
            Some(expected) => Err(Problem::new(
                Code::DigestMismatch,
                format!("the body has the SHA-256 {found} instead of the announced {expected}"),
            )),
        }
    }
}

/// The member `sha-256` of a dictionary (RFC 9651), in hexadecimal.
fn sha256(field: &str) -> Result<Option<String>, ()> {
    let fields: Dictionary = Parser::new(field).parse().map_err(drop)?;
    match fields.get("sha-256") {
        None => Ok(None),
        Some(ListEntry::Item(item)) => match item.bare_item.as_byte_sequence() {
            Some(bytes) if bytes.len() == 32 => Ok(Some(hex(bytes))),
            _ => Err(()),
        },
        Some(_) => Err(()),
    }
}

/// Converts the SHA-256 of the older field (`SHA-256=<base64>,…`) to the newer syntax, and drops other algorithms.
fn as_dictionary(field: &str) -> String {
    let pairs = field.split(',').filter_map(|pair| pair.trim().split_once('='));
    let ours = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("sha-256"));
    ours.map(|(_, value)| format!("sha-256=:{value}:"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A body that is hashed while another part of the program reads it.
#[derive(Clone)]
pub(crate) struct Hashed(Arc<Mutex<(BodyDataStream, Sha256)>>);

impl Hashed {
    /// Starts to hash a body.
    pub(crate) fn new(body: Body) -> Self {
        Hashed(Arc::new(Mutex::new((body.into_data_stream(), Sha256::new()))))
    }

    /// The body for its reader.
    pub(crate) fn body(&self) -> Body {
        Body::from_stream(futures_util::stream::unfold(self.clone(), async |hashed| {
            Some((hashed.next().await?, hashed))
        }))
    }

    async fn next(&self) -> Option<Result<Bytes, axum::Error>> {
        let (body, hash) = &mut *self.0.lock().await;
        let piece = body.next().await;
        if let Some(Ok(bytes)) = &piece {
            hash.update(bytes);
        }
        piece
    }

    /// Reads the rest of the body, and returns the SHA-256 of the whole body in lower-case hexadecimal.
    pub(crate) async fn finish(self) -> Result<String, Problem> {
        while crate::http::pace::timely(async { self.next().await.transpose() })
            .await?
            .is_some()
        {}
        Ok(hex(&self.0.lock().await.1.clone().finalize()))
    }
}

/// Checks the SHA-256 that a client announces for a file, and returns it in lower case; 400 if it is malformed.
pub(crate) fn wanted_hash(sha256: Option<String>) -> Result<Option<String>, Problem> {
    let is_hex = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    match sha256 {
        Some(hash) if !is_hex(&hash) => Err(Problem::invalid("sha256 must have 64 hexadecimal digits")),
        hash => Ok(hash.map(|hash| hash.to_ascii_lowercase())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    const BASE64: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

    fn check(fields: &[(&'static str, String)], expected: Option<&[&str]>) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let expected = expected.map(|all| Expected(all.iter().map(|&one| one.to_owned()).collect()));
        assert_eq!(Expected::of(&headers).ok(), expected, "{fields:?}");
    }

    #[test]
    fn digests_are_read_in_the_syntax_of_each_standard() {
        let good = format!("sha-256=:{BASE64}:");
        check(&[], Some(&[]));
        check(&[("repr-digest", good.clone())], Some(&[HASH]));
        check(
            &[("content-digest", format!("sha-512=:YWJj:, {good}"))],
            Some(&[HASH]),
        );
        check(
            &[("repr-digest", good.clone()), ("content-digest", good.clone())],
            Some(&[HASH, HASH]),
        );
        check(&[("digest", format!("SHA-256={BASE64}"))], Some(&[HASH]));
        check(
            &[("digest", format!("crc32c=4ds=, sha-256={BASE64},unixsum=30637"))],
            Some(&[HASH]),
        );
        // Other algorithms are ignored.
        check(
            &[("repr-digest", "sha-512=:YWJj:, md5=:YWJj:".to_owned())],
            Some(&[]),
        );
        check(&[("digest", "md5=YWJj".to_owned())], Some(&[]));
        // Unreadable fields are refused.
        check(&[("repr-digest", format!("sha-256={BASE64}"))], None);
        check(&[("repr-digest", "sha-256=:YWJj:".to_owned())], None);
        check(&[("repr-digest", "sha-256=?1".to_owned())], None);
        check(&[("repr-digest", "sha-256=(:YWJj:)".to_owned())], None);
        check(&[("content-digest", "=".to_owned())], None);
        check(&[("digest", format!("sha-256={HASH}!"))], None);
    }

    #[tokio::test]
    async fn a_body_is_hashed_to_its_end_even_when_its_reader_stops_before() {
        let pieces = ["hel", "l", "o"].map(|piece| Ok::<_, String>(Bytes::from(piece)));
        let hashed = Hashed::new(Body::from_stream(futures_util::stream::iter(pieces)));
        let mut body = hashed.body().into_data_stream();
        assert_eq!(body.next().await.unwrap().unwrap(), "hel");
        drop(body);
        assert_eq!(hashed.finish().await.unwrap(), HASH);
    }
}
