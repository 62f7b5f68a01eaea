//! Small JSON bodies.

use crate::{options, problem::Problem};
use axum::{body::Bytes, extract::rejection::BytesRejection};
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
