//! Every URL on one screen, by the scope that it needs. What an operation takes and answers is said at its handler.

use vidp_pipeline::Shared;
use crate::{authorize, metrics, auth::keys, handlers::{batches, dead_letters, docs, events, health, outputs, page, processing, tus, uploads, webhooks, jobs::{create, get, patch}}, http::{headers, problem::{self, Code, Problem}}, openapi::{self, at}};
use vidp_record::api_key::Scope;
use axum::{Router, extract::DefaultBodyLimit, middleware::{from_fn, from_fn_with_state}};
use serde_json::Value;
use tower::util::option_layer;
use tower_http::compression::CompressionLayer;
use utoipa_axum::{routes, router::OpenApiRouter};

/// Every route, by the scope that it needs.
fn groups() -> [(Option<Scope>, OpenApiRouter<Shared>); 4] {
    // Probes and Prometheus have no keys: network policies and the ingress keep others from these.
    let open = OpenApiRouter::new()
        .routes(at("/api/v1/processing/health", routes!(health::processing)))
        .routes(at("/health", routes!(health::health)))
        .routes(at("/ready", routes!(health::ready)))
        .routes(at("/metrics", routes!(health::metrics)))
        .routes(at("/openapi.json", routes!(docs::document)))
        .routes(at("/docs", routes!(docs::page)))
        .routes(at("/docs/openapi-explorer.js", routes!(docs::script)))
        .routes(at("/files", routes!(tus::options)));
    let read = OpenApiRouter::new()
        .routes(at("/api/v1/jobs", routes!(jobs::list)))
        // A job says much, and the next one says it again: a tenth is left.
        .layer(CompressionLayer::new())
        .routes(at("/api/v1/jobs/{id}", routes!(jobs::get)))
        .routes(at("/api/v1/jobs/{id}/events", routes!(events::job::of_job)))
        .routes(at("/api/v1/events", routes!(events::feed::of_all)))
        .routes(at("/api/v1/batches/{id}", routes!(batches::get)))
        .routes(at("/api/v1/uploads/{id}", routes!(direct::get)))
        .routes(at("/api/v1/webhooks", routes!(webhooks::list)))
        .routes(at("/api/v1/webhooks/{id}", routes!(webhooks::get)))
        .routes(at(
            "/api/v1/webhooks/{id}/deliveries",
            routes!(webhooks::deliveries::list),
        ))
        .routes(at("/api/v1/jobs/{id}/outputs", routes!(outputs::list)))
        .routes(at(
            "/api/v1/jobs/{id}/outputs/{stage}/{name}",
            routes!(outputs::get),
        ))
        .routes(at(
            "/api/v1/jobs/{id}/outputs/{stage}/{name}/link",
            routes!(outputs::link::get),
        ))
        .routes(at(
            "/api/v1/processing/supported-languages",
            routes!(processing::languages),
        ))
        .routes(at("/api/v1/processing/{kind}", routes!(processing::list)))
        .routes(at("/api/v1/processing/{kind}/{id}", routes!(processing::get)));
    let tus = OpenApiRouter::new()
        .routes(at("/files", routes!(tus::create::create)))
        .routes(at(
            "/files/{id}",
            routes!(tus::head, tus::append::append, tus::delete, tus::instead),
        ))
        .layer(from_fn(tus::speak));
    let write = OpenApiRouter::new()
        .routes(at("/api/v1/jobs", routes!(upload::create)))
        .routes(at("/api/v1/processing/{kind}", routes!(processing::create)))
        .routes(at("/api/v1/batches", routes!(batches::create::create)))
        .merge(tus)
        // The upload counts its bytes itself: the limit of axum does not cover a streamed body.
        .layer(DefaultBodyLimit::disable())
        .routes(at("/api/v1/jobs/{id}", routes!(jobs::delete, patch::patch)))
        .routes(at("/api/v1/jobs/{id}/cancel", routes!(jobs::cancel)))
        .routes(at("/api/v1/jobs/{id}/retry", routes!(jobs::retry)))
        .routes(at("/api/v1/uploads", routes!(direct::create)))
        .routes(at("/api/v1/uploads/{id}", routes!(direct::delete)))
        .routes(at("/api/v1/uploads/{id}/complete", routes!(direct::complete)))
        .routes(at("/api/v1/batches/{id}/cancel", routes!(batches::cancel)))
        .routes(at("/api/v1/batches/{id}/retry", routes!(batches::retry)))
        .routes(at("/api/v1/webhooks", routes!(webhooks::create)))
        .routes(at(
            "/api/v1/webhooks/{id}",
            routes!(webhooks::delete, webhooks::change),
        ))
        .routes(at("/api/v1/webhooks/{id}/rotate", routes!(webhooks::rotate)))
        .routes(at(
            "/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay",
            routes!(webhooks::deliveries::replay),
        ));
    let admin = OpenApiRouter::new()
        .routes(at(
            "/api/v1/keys",
            routes!(keys::admin::list, keys::admin::create),
        ))
        .routes(at(
            "/api/v1/keys/{id}",
            routes!(keys::admin::get, keys::admin::revoke),
        ))
        .routes(at("/api/v1/keys/{id}/rotate", routes!(keys::admin::rotate)))
        .routes(at("/api/v1/dead-letters", routes!(dead_letters::list)))
        .routes(at(
            "/api/v1/dead-letters/{id}",
            routes!(dead_letters::get, dead_letters::discard),
        ))
        .routes(at(
            "/api/v1/dead-letters/{id}/redrive",
            routes!(dead_letters::redrive),
        ));
    [
        (None, open),
        (Some(Scope::JobsRead), read),
        (Some(Scope::JobsWrite), write),
        (Some(Scope::Admin), admin),
    ]
}

/// The OpenAPI document of all of them.
pub fn document() -> anyhow::Result<Value> {
    openapi::document(groups().map(|(scope, group)| (scope, group.into_openapi())))
}

/// The API's router.
pub fn all(app: Shared) -> Router {
    let mut all = Router::new();
    for (scope, group) in groups() {
        let (group, _) = group.split_for_parts();
        all = all.merge(match scope {
            Some(scope) => group.route_layer(from_fn_with_state((app.clone(), scope), caller::authorize)),
            None => group,
        });
    }
    all.merge(web::router())
        .fallback(async || Problem::new(Code::NotFound, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(Code::MethodNotAllowed, "this address does not take that method")
        })
        .layer(from_fn(problem::render))
        .layer(option_layer(headers::cors(&app.config.cors_origins)))
        .layer(from_fn_with_state(app.clone(), tus::announce))
        .layer(from_fn(headers::secure))
        .layer(from_fn(metrics::observe))
        .with_state(app)
}
