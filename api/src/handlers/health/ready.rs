//! `GET /ready`: the readiness probe.

use super::dependencies::{Dependencies, mongodb, s3};
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use vidp_pipeline::Shared;

/// Readiness of the API to accept uploads.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready` or `not_ready`.
    status: &'static str,
    /// The state of each dependency.
    dependencies: Dependencies,
}

/// Check that the API can accept uploads.
///
/// Readiness requires MongoDB and the object store, but not the message broker: tasks wait in the database until the
/// broker is back.
#[utoipa::path(
    get, path = "", operation_id = "getReadiness", tag = "Service",
    responses(
        (status = 200, description = "The API is ready.", body = Readiness),
        (status = 503, description = "The API is not ready.", body = Readiness),
    ),
)]
pub(crate) async fn ready(State(pipeline): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let (mongodb, s3) = tokio::join!(mongodb(&pipeline), s3(&pipeline));
    // Without its unique indexes MongoDB would accept a repeated request twice.
    let (code, status) = match mongodb && s3 && pipeline.db.is_indexed() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    let dependencies = Dependencies::new(mongodb, s3, pipeline.queue.is_connected());
    (code, Json(Readiness { status, dependencies }))
}
