//! `GET /ready`: the readiness probe.

use super::{
    cached::Cached,
    dependencies::{Dependencies, mongodb, s3},
};
use crate::http::problem::Problem;
use axum::{Extension, Json, extract::State, http::StatusCode};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use vidp_pipeline::Shared;

/// Time for which one answer serves all clients.
const CACHE_LIFE: Duration = Duration::from_millis(500);
const READY: &str = "ready";

/// Readiness of the API to accept uploads.
#[derive(Clone, Serialize, ToSchema)]
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
pub(crate) async fn ready(
    State(pipeline): State<Shared>,
    Extension(cached): Extension<Cached<Readiness>>,
) -> Result<(StatusCode, Json<Readiness>), Problem> {
    let readiness = cached.get(CACHE_LIFE, Readiness::read(pipeline)).await;
    let readiness = readiness.ok_or_else(|| Problem::internal("a health check panicked"))?;
    let code = match readiness.status {
        READY => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Ok((code, Json(readiness)))
}

impl Readiness {
    async fn read(pipeline: Shared) -> Readiness {
        let (mongodb, s3) = tokio::join!(mongodb(&pipeline), s3(&pipeline));
        Readiness {
            // Without its unique indexes MongoDB would accept a repeated request twice.
            status: match mongodb && s3 && pipeline.db.is_indexed() {
                true => READY,
                false => "not_ready",
            },
            dependencies: Dependencies::new(mongodb, s3, pipeline.queue.is_connected()),
        }
    }
}
