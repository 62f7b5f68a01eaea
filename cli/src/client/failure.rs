use anyhow::Result;
use reqwest::{Response, StatusCode, header};
use serde::Deserialize;
use std::time::Duration;

/// A failed request: no answer, or a refusal.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server could not be reached, or its answer was incomplete.
    #[error("no answer from {server}: {}", root(cause))]
    NoAnswer {
        /// The server's address.
        server: String,
        /// The error of the HTTP client.
        cause: reqwest::Error,
    },
    /// The API refused the request with problem details (RFC 9457).
    #[error("{detail} ({code})")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// Stable code of the problem.
        code: String,
        /// Explanation for people, one sentence.
        detail: String,
        /// Time until a retry is allowed (RFC 9110 §10.2.3).
        retry_after: Option<Duration>,
    },
}

impl Failure {
    /// Finds the failure in an error.
    pub fn of(error: &anyhow::Error) -> Option<&Failure> {
        error.downcast_ref()
    }

    /// Returns the HTTP status of a refusal.
    pub fn status(error: &anyhow::Error) -> Option<StatusCode> {
        match Failure::of(error)? {
            Failure::Refused { status, .. } => Some(*status),
            Failure::NoAnswer { .. } => None,
        }
    }

    /// Returns the stable code of a refusal.
    pub fn code(error: &anyhow::Error) -> Option<&str> {
        match Failure::of(error)? {
            Failure::Refused { code, .. } => Some(code),
            Failure::NoAnswer { .. } => None,
        }
    }

    /// True when the request got no complete answer.
    pub fn is_no_answer(error: &anyhow::Error) -> bool {
        matches!(Failure::of(error), Some(Failure::NoAnswer { .. }))
            || error.chain().any(|cause| cause.is::<reqwest::Error>())
    }

    /// Returns the time for which the server refuses further requests.
    pub fn retry_after(error: &anyhow::Error) -> Option<Duration> {
        match Failure::of(error)? {
            Failure::Refused { retry_after, .. } => *retry_after,
            Failure::NoAnswer { .. } => None,
        }
    }

    /// True when a retry can help: there was no answer, or the refusal is temporary.
    pub fn is_transient(error: &anyhow::Error) -> bool {
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

/// The innermost cause: the HTTP client's outer layers only repeat the address.
fn root(mut error: &dyn std::error::Error) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

/// Returns an answer with a 2xx status; any other becomes a [`Failure::Refused`].
pub(super) async fn require_success(answer: Response) -> Result<Response> {
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
            "the server refused the request without an explanation".to_owned(),
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
