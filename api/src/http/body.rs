//! What bodies are, and small ones of JSON.

use crate::http::{options, problem::Problem};
use axum::{
    body::Bytes,
    extract::rejection::BytesRejection,
    http::{HeaderMap, header},
};
use serde::de::DeserializeOwned;

/// Reads a body; what is too large or not as expected is a 400 that says why.
pub fn json<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body.map_err(|error| Problem::invalid(error.body_text()))?;
    if body.len() > options::MAX_TEXT {
        return Err(Problem::invalid(format!(
            "larger than {} bytes",
            options::MAX_TEXT
        )));
    }
    serde_json::from_slice(&body).map_err(|error| Problem::invalid(error.to_string()))
}

/// The body's type in lower case, without parameters such as a form's boundary; empty when none is said.
pub fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}
