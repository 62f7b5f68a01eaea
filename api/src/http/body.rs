//! Content types of bodies, and small JSON bodies.

use crate::http::{options, problem::Problem};
use axum::{
    body::Bytes,
    extract::rejection::BytesRejection,
    http::{HeaderMap, header},
};
use serde::de::DeserializeOwned;

/// Reads a JSON body; 400 if it is too large or does not have the expected shape.
pub(crate) fn json<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
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
