//! Why a request came to nothing.

use anyhow::Result;
use reqwest::{Response, StatusCode, header};
use serde::Deserialize;
use std::time::Duration;

/// No answer, or one that says no.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody answered.
    #[error("no answer from {server}: {}", root(cause))]
    NoAnswer {
        /// Its address.
        server: String,
        /// What went wrong.
        cause: reqwest::Error,
    },
    /// The API refused, and explained it (RFC 9457).
    #[error("{detail} ({code})")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// Stable name of the problem.
        code: String,
        /// A sentence.
        detail: String,
        /// When it may be tried again (RFC 9110 §10.2.3).
        retry_after: Option<Duration>,
    },
}

impl Failure {
    /// Of an error that has one in it.
    pub fn of(error: &anyhow::Error) -> Option<&Failure> {
        error.downcast_ref()
    }

    /// The status of a refusal.
    pub fn status(error: &anyhow::Error) -> Option<StatusCode> {
        match Failure::of(error)? {
            Failure::Refused { status, .. } => Some(*status),
            Failure::NoAnswer { .. } => None,
        }
    }

    /// The stable name of a refusal.
    pub fn code(error: &anyhow::Error) -> Option<&str> {
        match Failure::of(error)? {
            Failure::Refused { code, .. } => Some(code),
            Failure::NoAnswer { .. } => None,
        }
    }

    /// Whether the server could not be asked at all.
    pub fn is_no_answer(error: &anyhow::Error) -> bool {
        matches!(Failure::of(error), Some(Failure::NoAnswer { .. }))
            || error.chain().any(|cause| cause.is::<reqwest::Error>())
    }

    /// How long the server wants to be left alone.
    pub fn retry_after(error: &anyhow::Error) -> Option<Duration> {
        match Failure::of(error)? {
            Failure::Refused { retry_after, .. } => *retry_after,
            Failure::NoAnswer { .. } => None,
        }
    }

    /// Whether trying again can help: no answer, or one that says so.
    pub fn may_pass(error: &anyhow::Error) -> bool {
        match Failure::of(error) {
            Some(Failure::Refused { status, code, .. }) => {
                (status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED)
                    || *status == StatusCode::TOO_MANY_REQUESTS
                    || code == "idempotency_conflict"
                    || code == "offset_mismatch"
            }
            _ => Failure::is_no_answer(error),
        }
    }
}

/// What is at the bottom of it: the layers above say nothing that people want to know.
fn root(mut error: &dyn std::error::Error) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

/// The answer, or the problem that it describes.
pub async fn accepted(answer: Response) -> Result<Response> {
    #[derive(Deserialize)]
    struct Body {
        code: String,
        detail: Option<String>,
        title: Option<String>,
    }
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let wait = answer.headers().get(header::RETRY_AFTER);
    let retry_after = wait
        .and_then(|wait| wait.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let text = answer.text().await.unwrap_or_default();
    let (code, detail) = match serde_json::from_str::<Body>(&text) {
        Ok(body) => {
            let detail = body.detail.or(body.title);
            (body.code, detail.unwrap_or_else(|| status.to_string()))
        }
        Err(_) => (
            status.as_u16().to_string(),
            "the server refused, and did not say why".to_owned(),
        ),
    };
    Err(Failure::Refused {
        status,
        code,
        detail,
        retry_after,
    }
    .into())
}
