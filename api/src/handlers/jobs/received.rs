//! The result of an upload.

use crate::http::idempotency;
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use vidp_record::{job::Job, view};

/// The job of an upload.
pub(crate) struct Received {
    /// The job, which is queued or waits for its source.
    pub(crate) job: Job,
    /// True when an earlier request with the same idempotency key created the job.
    pub(crate) replayed: bool,
}

/// 202 with the job and its URL.
pub(super) fn accepted(received: &Received) -> Response {
    let location = format!("/api/v1/jobs/{}", received.job.id);
    let replayed = received.replayed.then_some([idempotency::REPLAYED]);
    let job = Json(view::job(&received.job));
    (
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        replayed,
        job,
    )
        .into_response()
}
