//! Every URL on one screen.

use crate::{
    app::Shared,
    health, jobs, metrics, outputs, problem,
    problem::{Code, Problem},
    upload,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};

/// The API's router.
pub fn all(app: Shared) -> Router {
    Router::new()
        .route("/api/v1/jobs", post(upload::create).get(jobs::list))
        // The upload counts its bytes itself: the limit of axum does not cover a streamed body.
        .layer(DefaultBodyLimit::disable())
        .route("/api/v1/jobs/{id}", get(jobs::get).delete(jobs::delete))
        .route("/api/v1/jobs/{id}/cancel", post(jobs::cancel))
        .route("/api/v1/jobs/{id}/retry", post(jobs::retry))
        .route("/api/v1/jobs/{id}/outputs", get(outputs::list))
        .route("/api/v1/jobs/{id}/outputs/{stage}/{name}", get(outputs::get))
        .route("/api/v1/processing/health", get(health::processing))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(async || Problem::new(Code::NotFound, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(Code::MethodNotAllowed, "this address does not take that method")
        })
        .layer(middleware::from_fn(problem::render))
        .layer(middleware::from_fn(metrics::observe))
        .with_state(app)
}
