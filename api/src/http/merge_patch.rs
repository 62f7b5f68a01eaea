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

/// Reads the patch of a request. The inner error is the response to a body of another type, which names the accepted type
/// (RFC 5789, section 2.2).
pub(crate) fn read(
    headers: &HeaderMap,
    sent: Result<Bytes, BytesRejection>,
) -> Result<Result<Map<String, Value>, Response>, Problem> {
    if body::content_type(headers) != TYPE {
        let problem = Problem::new(
            Code::UnsupportedContentType,
            format!("the content type must be {TYPE}"),
        );
        return Ok(Err(([("accept-patch", TYPE)], problem).into_response()));
    }
    match body::parse(sent)? {
        Value::Object(patch) => Ok(Ok(patch)),
        _ => Err(Problem::invalid("expected a JSON object")),
    }
}
