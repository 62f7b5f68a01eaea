//! `Idempotency-Key`: a repeated request creates nothing twice (draft-ietf-httpapi-idempotency-key-header).
//!
//! The key is a field of the job that the request creates, and a unique index decides which of two requests was first. A
//! separate record, which could contradict the job, does not exist. The request's hash is stored in the same step that
//! completes the job. A failed upload releases its key.

use crate::http::problem::{Code, Problem};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use sfv::{Item, Parser};
use sha2::{Digest, Sha256};
use std::time::Duration;
use vidp_contract::hex;
use vidp_pipeline::{Pipeline, advance};
use vidp_record::{
    db::DbError,
    job::{Job, JobStatus},
    time::{DateTime, since},
};

const HEADER: &str = "idempotency-key";
/// Header of a response that repeats an earlier request's job; nothing was created.
pub(crate) const REPLAYED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("idempotent-replayed"),
    HeaderValue::from_static("true"),
);
/// Longest key, in characters.
const MAX_KEY: usize = 255;
/// Time for which a key is retained.
const KEY_LIFE: Duration = Duration::from_secs(24 * 3600);

/// The outcome of [`begin`].
pub(crate) enum Begun {
    /// The job is stored.
    New,
    /// An earlier request with the same key created this job; nothing is stored.
    Existing(Box<Job>),
}

/// Reads the request's key: a string of RFC 9651, or the plain text that many clients send. 400 for an invalid one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut sent = headers.get_all(HEADER).iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    let key = match text.starts_with('"') {
        true => Parser::new(text)
            .parse::<Item>()
            .ok()
            .and_then(|item| Some(item.bare_item.as_string()?.as_str().to_owned())),
        false => Some(text.to_owned()).filter(|text| {
            text.bytes()
                .all(|b| b.is_ascii_graphic() && !b"\",;".contains(&b))
        }),
    };
    let key = key.filter(|key| (1..=MAX_KEY).contains(&key.len()) && sent.next().is_none());
    key.map(Some).ok_or_else(|| {
        Problem::invalid(format!(
            "Idempotency-Key must be one string of 1 to {MAX_KEY} characters, for example \"8e03978e-40d5-43e8-bc93-6894a57f9324\""
        ))
    })
}

/// Hashes a request, to compare it with a later one with the same key. `request` contains everything that determines
/// the job. The order of names in JSON objects does not matter.
pub(crate) fn request_hash(request: &impl Serialize) -> Result<String, Problem> {
    let mut request = serde_json::to_value(request).map_err(Problem::internal)?;
    request.sort_all_objects();
    Ok(hex(&Sha256::digest(request.to_string())))
}

/// Stores a new job, unless an earlier request with the same key created one.
///
/// # Errors
/// 409 while the first request with the key is in progress.
pub(crate) async fn begin(pipeline: &Pipeline, job: &Job) -> Result<Begun, Problem> {
    loop {
        match advance::insert(pipeline, job).await {
            Err(DbError::Duplicate) => {}
            done => return Ok(done.map(|()| Begun::New)?),
        }
        let key = job.idempotency_key.as_deref().unwrap_or_default();
        let existing = match pipeline.db.with_key(&job.tenant, key).await {
            // The key has just been released.
            Err(DbError::NotFound) => continue,
            found => found?,
        };
        if is_over(existing.created_at) {
            pipeline.db.release_key(&existing).await?;
            continue;
        }
        // A job by reference has its hash before its source is fetched.
        if existing.status == JobStatus::Uploading && existing.request_hash.is_none() {
            return Err(Problem::new(
                Code::IdempotencyConflict,
                "the first request with this key is still in progress; retry after a pause",
            ));
        }
        return Ok(Begun::Existing(Box::new(existing)));
    }
}

/// True if the key of a document that was created at this time has expired.
pub(crate) fn is_over(created_at: DateTime) -> bool {
    since(created_at) >= KEY_LIFE
}

/// Compares the hashes of two requests with the same key; 422 if they differ.
pub(crate) fn same(first: Option<&str>, repeated: Option<&str>) -> Result<(), Problem> {
    match first == repeated {
        true => Ok(()),
        false => Err(Problem::new(
            Code::IdempotencyKeyReused,
            "a different request was sent with this key before; use a new key for a new request",
        )),
    }
}

/// Returns the job of an earlier request with the same key.
///
/// # Errors
/// 422 if the requests differ; 404 if the job was deleted.
pub(crate) fn replay(existing: Job, repeated: &Job) -> Result<Job, Problem> {
    same(existing.request_hash.as_deref(), repeated.request_hash.as_deref())?;
    match existing.deleted_at {
        None => Ok(existing),
        Some(_) => Err(Problem::new(
            Code::NotFound,
            "the job that was created with this key has been deleted",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(values: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, value.parse().unwrap());
        }
        assert_eq!(
            key(&headers).ok(),
            expected.map(|key| Some(key.to_owned())),
            "{values:?}"
        );
    }

    #[test]
    fn keys_are_strings() {
        check(&["\"8e03978e-40d5\""], Some("8e03978e-40d5"));
        check(&["\"a b\\\"c\""], Some("a b\"c"));
        check(&["\"a\";p=1"], Some("a"));
        check(&["8e03978e-40d5"], Some("8e03978e-40d5"));
        check(&["\"a"], None);
        check(&["a\"b"], None);
        check(&["a, b"], None);
        check(&[""], None);
        check(&["\"\""], None);
        check(&["\"a\"", "\"a\""], None);
        check(&[&"x".repeat(255)], Some(&"x".repeat(255)));
        check(&[&"x".repeat(256)], None);
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn the_order_of_names_does_not_change_the_hash() {
        let hash = |value| request_hash(&value).unwrap();
        assert_eq!(
            hash(json!({ "a": { "b": 1, "c": [1, 2] }, "d": null })),
            hash(json!({ "d": null, "a": { "c": [1, 2], "b": 1 } }))
        );
        assert_ne!(hash(json!({ "a": [1, 2] })), hash(json!({ "a": [2, 1] })));
    }
}
