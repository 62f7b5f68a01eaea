//! The parts of the document that belong to no operation.

use crate::http::problem::ProblemBody;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

/// What there is, in the order in which people need it.
const TAGS: &[(&str, &str)] = &[
    ("Jobs", "Upload a video, then follow its job."),
    (
        "Uploads",
        "Files that clients send to the object store themselves.",
    ),
    ("Batches", "Many jobs by reference in one request."),
    ("Events", "Jobs as they change, pushed to the client."),
    ("Outputs", "What the stages made."),
    (
        "Webhooks",
        "Who is told when a job ends, by Standard Webhooks 1.0.0.",
    ),
    ("Processing", "The first VidP's endpoints, as views of jobs."),
    (
        "Dead letters",
        "Messages that nobody could work on, for operators.",
    ),
    ("Keys", "API keys, for operators."),
    ("Service", "Probes, figures, and this document."),
];

const DESCRIPTION: &str = "\
A video comes in; its spoken language, a ladder of smaller renditions and its subtitles come out.

JSON is in `snake_case`, times are RFC 3339 in UTC, ids are UUIDv7. Errors are `application/problem+json` (RFC 9457) \
with a stable `code`; every answer has an `X-Request-Id`.";

/// What clients write is read strictly by the API; the types themselves read past fields that they do not know.
pub const STRICT: [&str; 4] = ["JobOptions", "DetectOptions", "ScaleOptions", "SubtitleOptions"];

/// An id for examples.
pub const REQUEST_ID: &str = "0198c2a4-7d1e-7c3a-9f52-3b6d0c1e8a77";

/// The document with these paths and schemas.
pub fn document(paths: Map<String, Value>, schemas: Map<String, Value>) -> Result<Value> {
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

/// Schemas that no annotation names.
pub fn schemas() -> Result<Map<String, Value>> {
    let problem = serde_json::to_value(ProblemBody::schema())?;
    Ok(Map::from_iter([("Problem".to_owned(), problem)]))
}

fn key() -> Value {
    json!({
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "vidp_<id>_<secret>",
        "description": "An API key with the scope that the operation names. None is asked for with `VIDP_AUTH=off`.",
    })
}

/// Headers that many operations answer with.
fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "Names this request in the server's log: the client's own `X-Request-Id`, if it sent a \
                sensible one.",
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

/// A JSON object of the document; an error when an annotation made something else of it.
pub fn object(value: &mut Value) -> Result<&mut Map<String, Value>> {
    value.as_object_mut().context("expected an object")
}
