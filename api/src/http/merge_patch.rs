//! The body of a JSON Merge Patch (RFC 7396).

use crate::http::{
    body,
    problem::{Code, Problem},
};
use axum::{
    body::Bytes,
    extract::rejection::BytesRejection,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

const TYPE: &str = "application/merge-patch+json";

/// The patch of a request; a body of another type has an answer of its own, which names the right one (RFC 5789,
/// section 2.2).
pub fn read(
    headers: &HeaderMap,
    sent: Result<Bytes, BytesRejection>,
) -> Result<Result<Map<String, Value>, Response>, Problem> {
    if body::content_type(headers) != TYPE {
        let problem = Problem::new(Code::UnsupportedContentType, format!("send {TYPE}"));
        return Ok(Err(([("accept-patch", TYPE)], problem).into_response()));
    }
    match body::json(sent)? {
        Value::Object(patch) => Ok(Ok(patch)),
        _ => Err(Problem::invalid("expected a JSON object")),
    }
}
