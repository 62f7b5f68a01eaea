//! `GET /health`: the liveness probe.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// The state of the process.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Check that the process is alive.
///
/// The answer does not depend on other services: an outage of a dependency must not restart every replica.
#[utoipa::path(
    get, path = "", operation_id = "getHealth", tag = "Service",
    responses((status = 200, description = "The process is alive.", body = Health)),
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}
