//! `Idempotency-Key`: a request that is sent again makes nothing again (draft-ietf-httpapi-idempotency-key-header).
//!
//! The key is part of the job that the request makes, and a unique index decides which of two requests came first: there
//! is no second record that could say something else than the job. The request's hash is stored in the same step that
//! makes the job complete. An upload that comes to nothing gives its key back, however it ended.

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
/// Says that the answer tells of an earlier request's job, and that nothing was made.
pub const REPLAYED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("idempotent-replayed"),
    HeaderValue::from_static("true"),
);
/// Longest key in characters.
const MAX_KEY: usize = 255;
/// How long a key is kept.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// What became of a new job.
pub enum Begun {
    /// It is stored.
    New,
    /// Its key has made this one before, and nothing is stored.
    Existing(Box<Job>),
}

/// The request's key: a string of RFC 9651, or plainly the text, as many clients send it.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
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
            "Idempotency-Key must be one string of 1 to {MAX_KEY} characters, as \"8e03978e-40d5-43e8-bc93-6894a57f9324\""
        ))
    })
}

/// What two requests with the same key must have in common, as a hash. `request` is all that shapes the job.
pub fn request_hash(request: &impl Serialize) -> Result<String, Problem> {
    let mut request = serde_json::to_value(request).map_err(Problem::internal)?;
    request.sort_all_objects();
    Ok(hex(&Sha256::digest(request.to_string())))
}

/// Stores a job that begins, unless its key has made one before. A key whose first request is still being worked on
/// is a 409.
pub async fn begin(pipeline: &Pipeline, job: &Job) -> Result<Begun, Problem> {
    loop {
        match advance::insert(pipeline, job).await {
            Err(DbError::Duplicate) => {}
            done => return Ok(done.map(|()| Begun::New)?),
        }
        let key = job.idempotency_key.as_deref().unwrap_or_default();
        let before = match pipeline.db.with_key(&job.tenant, key).await {
            // It has just been given back.
            Err(DbError::NotFound) => continue,
            found => found?,
        };
        if is_over(before.created_at) {
            pipeline.db.release_key(&before).await?;
            continue;
        }
        // One by reference is known whole before its source is there.
        if before.status == JobStatus::Uploading && before.request_hash.is_none() {
            return Err(Problem::new(
                Code::IdempotencyConflict,
                "the first request with this key has not ended: wait, and send it again",
            ));
        }
        return Ok(Begun::Existing(Box::new(before)));
    }
}

/// Whether the key of what was made at this time is free again.
pub fn is_over(created_at: DateTime) -> bool {
    since(created_at) >= LIFE
}

/// Refuses a request that is not the same as the one before with its key.
pub fn same(before: Option<&str>, again: Option<&str>) -> Result<(), Problem> {
    match before == again {
        true => Ok(()),
        false => Err(Problem::new(
            Code::IdempotencyKeyReused,
            "another request was made with this key: a new request needs a new one",
        )),
    }
}

/// The job of an earlier request, when this one is the same.
pub fn replay(before: Job, again: &Job) -> Result<Job, Problem> {
    same(before.request_hash.as_deref(), again.request_hash.as_deref())?;
    match before.deleted_at {
        None => Ok(before),
        Some(_) => Err(Problem::new(Code::NotFound, "the job of this key was deleted")),
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
    fn the_order_of_names_makes_no_other_request() {
        let hash = |value| request_hash(&value).unwrap();
        assert_eq!(
            hash(json!({ "a": { "b": 1, "c": [1, 2] }, "d": null })),
            hash(json!({ "d": null, "a": { "c": [1, 2], "b": 1 } }))
        );
        assert_ne!(hash(json!({ "a": [1, 2] })), hash(json!({ "a": [2, 1] })));
    }
}
