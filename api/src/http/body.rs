//! Content types of bodies, and small JSON bodies.

use crate::http::{
    options,
    problem::{Code, Problem},
};
use axum::{
    body::Bytes,
    extract::rejection::BytesRejection,
    http::{HeaderMap, header},
};
use serde::de::DeserializeOwned;

/// The content type of JSON bodies.
pub(crate) const JSON: &str = "application/json";

/// Reads a JSON body; 415 if it has another content type.
///
/// A page of another origin may send a few content types without asking. JSON is not among these.
pub(crate) fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    if content_type(headers) != JSON {
        return Err(Problem::new(
            Code::UnsupportedContentType,
            format!("the content type must be {JSON}"),
        ));
    }
    parse(body)
}

/// Reads an optional JSON body: the default for an empty one.
pub(crate) fn optional_json<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    match &body {
        Ok(bytes) if bytes.is_empty() => Ok(T::default()),
        _ => json(headers, body),
    }
}

/// Parses a JSON body of any content type; 400 if it is too large or does not have the expected shape.
pub(crate) fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body.map_err(|error| Problem::invalid(error.body_text()))?;
    if body.len() > options::MAX_TEXT {
        return Err(Problem::invalid(format!(
            "the body is larger than {} bytes",
            options::MAX_TEXT
        )));
    }
    serde_json::from_slice(&body).map_err(|error| Problem::invalid(error.to_string()))
}

/// The content type in lower case, without parameters such as a form's boundary; empty without the header.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}
