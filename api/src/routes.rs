//! Every URL on one screen, by the scope that it needs.

use crate::{
    app::Shared,
    caller::{self, Scope},
    events, health, jobs, keys, metrics, outputs, patch, problem,
    problem::{Code, Problem},
    upload,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::{delete, get, post},
};

/// The API's router.
pub fn all(app: Shared) -> Router {
    // Probes and Prometheus have no keys: network policies and the ingress keep others from these.
    let open = Router::new()
        .route("/api/v1/processing/health", get(health::processing))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics));
    let read = Router::new()
        .route("/api/v1/jobs", get(jobs::list))
        .route("/api/v1/jobs/{id}", get(jobs::get))
        .route("/api/v1/jobs/{id}/events", get(events::of_job))
        .route("/api/v1/events", get(events::of_all))
        .route("/api/v1/jobs/{id}/outputs", get(outputs::list))
        .route("/api/v1/jobs/{id}/outputs/{stage}/{name}", get(outputs::get));
    let write = Router::new()
        .route("/api/v1/jobs", post(upload::create))
        // The upload counts its bytes itself: the limit of axum does not cover a streamed body.
        .layer(DefaultBodyLimit::disable())
        .route("/api/v1/jobs/{id}", delete(jobs::delete).patch(patch::patch))
        .route("/api/v1/jobs/{id}/cancel", post(jobs::cancel))
        .route("/api/v1/jobs/{id}/retry", post(jobs::retry));
    let admin = Router::new()
        .route("/api/v1/keys", get(keys::list).post(keys::create))
        .route("/api/v1/keys/{id}", get(keys::get).delete(keys::revoke))
        .route("/api/v1/keys/{id}/rotate", post(keys::rotate));
    let needs = |routes: Router<Shared>, scope: Scope| {
        routes.route_layer(from_fn_with_state((app.clone(), scope), caller::authorize))
    };
    open.merge(needs(read, Scope::JobsRead))
        .merge(needs(write, Scope::JobsWrite))
        .merge(needs(admin, Scope::Admin))
        .fallback(async || Problem::new(Code::NotFound, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(Code::MethodNotAllowed, "this address does not take that method")
        })
        .layer(from_fn(problem::render))
        .layer(from_fn(metrics::observe))
        .with_state(app)
}
