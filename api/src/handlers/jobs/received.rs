//! The result of an upload.

use crate::http::idempotency;
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use vidp_record::{job::Job, view};

/// The job that an upload became.
pub struct Received {
    /// The job, queued or waiting for its source.
    pub job: Job,
    /// It is the job of an earlier request with the same idempotency key.
    pub replayed: bool,
}

/// 202 with the job and its place.
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
