//! The parts of the document that belong to no operation.

use crate::http::problem::ProblemBody;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

/// The groups of operations, in the order in which a reader needs them.
const TAGS: &[(&str, &str)] = &[
    ("Jobs", "Upload a video and follow its job."),
    (
        "Uploads",
        "Resumable uploads, and uploads straight to the object store.",
    ),
    ("Batches", "Many jobs by reference in one request."),
    ("Events", "Server-sent events about changed jobs."),
    ("Outputs", "The files that the stages produced."),
    (
        "Playback",
        "Streams by HLS and DASH, for players without an API key.",
    ),
    (
        "Webhooks",
        "Receivers that VidP notifies when a job ends, by Standard Webhooks 1.0.0.",
    ),
    ("Processing", "The endpoints of the first VidP, as views of jobs."),
    (
        "Dead letters",
        "Messages that could not be processed, for operators.",
    ),
    ("Keys", "API keys, for operators."),
    ("Service", "Probes, metrics and this document."),
];

/// Introduction of the document.
const DESCRIPTION: &str = "\
VidP detects the spoken language of a video, scales it to smaller renditions and writes its subtitles.

JSON is in `snake_case`, times are RFC 3339 in UTC, ids are UUIDv7. Errors are `application/problem+json` (RFC 9457) \
with a stable `code`; every answer has an `X-Request-Id`.";

/// Types in requests that refuse unknown fields. The API checks this itself, because the types ignore unknown fields.
pub(crate) const STRICT: [&str; 4] = ["JobOptions", "DetectOptions", "ScaleOptions", "SubtitleOptions"];

/// Request id in examples.
pub(crate) const REQUEST_ID: &str = "0198c2a4-7d1e-7c3a-9f52-3b6d0c1e8a77";

/// The document with these paths and schemas.
pub(crate) fn document(paths: Map<String, Value>, schemas: Map<String, Value>) -> Result<Value> {
    let tags: Vec<_> = TAGS
        .iter()
        .map(|(name, description)| json!({ "name": name, "description": description }))
        .collect();
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "VidP",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "tags": tags,
        "paths": paths,
        "components": { "schemas": schemas, "headers": headers(), "securitySchemes": { "key": key() } },
    }))
}

/// Schemas that annotations do not refer to.
pub(crate) fn schemas() -> Result<Map<String, Value>> {
    let problem = serde_json::to_value(ProblemBody::schema())?;
    Ok(Map::from_iter([("Problem".to_owned(), problem)]))
}

/// The security scheme.
fn key() -> Value {
    json!({
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "vidp_<id>_<secret>",
        "description": "An API key with the scope that the operation names. Not required with `VIDP_AUTH=off`.",
    })
}

/// Headers that many responses have.
fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "Id of this request in the server's log: the client's own `X-Request-Id`, if it sent a \
                valid one.",
            "required": true,
            "schema": { "type": "string", "maxLength": 64 },
            "example": REQUEST_ID,
        },
        "RetryAfter": {
            "description": "Seconds after which to try again.",
            "required": true,
            "schema": { "type": "integer", "minimum": 0 },
            "example": 5,
        },
    })
}

/// A JSON object of the document; fails when an annotation produced another kind of value.
pub(crate) fn object(value: &mut Value) -> Result<&mut Map<String, Value>> {
    value.as_object_mut().context("expected an object")
}
