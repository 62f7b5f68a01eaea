//! Every URL with the scope that it requires. The handlers document requests and responses.

use crate::{
    authorize::authorize,
    handlers::{
        batches, dead_letters, docs, events, health, jobs, keys, outputs, page, processing, tus, uploads,
        webhooks,
    },
    http::{
        headers,
        problem::{self, Code, Problem},
    },
    metrics,
    openapi::{self, at},
    state::AppState,
};
use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use serde_json::Value;
use tower::util::option_layer;
use tower_http::compression::CompressionLayer;
use utoipa_axum::{router::OpenApiRouter, routes};
use vidp_record::api_key::Scope;

/// Every route, grouped by the scope that it requires.
fn groups() -> [(Option<Scope>, OpenApiRouter<AppState>); 4] {
    // Probes and Prometheus have no keys. Network policies and the ingress restrict access to these routes.
    let open = OpenApiRouter::new()
        .routes(at(
            "/api/v1/processing/health",
            routes!(health::processing::processing),
        ))
        .routes(at("/health", routes!(health::live::health)))
        .routes(at("/ready", routes!(health::ready::ready)))
        .routes(at("/metrics", routes!(health::metrics::metrics)))
        .routes(at("/openapi.json", routes!(docs::document)))
        .routes(at("/docs", routes!(docs::page)))
        .routes(at("/docs/openapi-explorer.js", routes!(docs::script)))
        .routes(at("/files", routes!(tus::options::options)));
    let read = OpenApiRouter::new()
        .routes(at("/api/v1/jobs", routes!(jobs::list::list)))
        // Jobs of a list are similar, so compression reduces it to about a tenth.
        .layer(CompressionLayer::new())
        .routes(at("/api/v1/jobs/{id}", routes!(jobs::get::get)))
        .routes(at("/api/v1/jobs/{id}/events", routes!(events::job::follow)))
        .routes(at("/api/v1/events", routes!(events::feed::follow)))
        .routes(at("/api/v1/batches/{id}", routes!(batches::get::get)))
        .routes(at("/api/v1/uploads/{id}", routes!(uploads::get::get)))
        .routes(at("/api/v1/webhooks", routes!(webhooks::list::list)))
        .routes(at("/api/v1/webhooks/{id}", routes!(webhooks::get::get)))
        .routes(at(
            "/api/v1/webhooks/{id}/deliveries",
            routes!(webhooks::deliveries::list),
        ))
        .routes(at("/api/v1/jobs/{id}/outputs", routes!(outputs::list::list)))
        .routes(at(
            "/api/v1/jobs/{id}/outputs/{stage}/{name}",
            routes!(outputs::get::get),
        ))
        .routes(at(
            "/api/v1/jobs/{id}/outputs/{stage}/{name}/link",
            routes!(outputs::link::get),
        ))
        .routes(at(
            "/api/v1/processing/supported-languages",
            routes!(processing::languages::languages),
        ))
        .routes(at("/api/v1/processing/{kind}", routes!(processing::list::list)))
        .routes(at(
            "/api/v1/processing/{kind}/{id}",
            routes!(processing::get::get),
        ));
    let tus = OpenApiRouter::new()
        .routes(at("/files", routes!(tus::create::create)))
        .routes(at(
            "/files/{id}",
            routes!(
                tus::head::head,
                tus::append::append,
                tus::delete::delete,
                tus::override_method::override_method
            ),
        ))
        .layer(from_fn(tus::headers::require_version));
    let write = OpenApiRouter::new()
        .routes(at("/api/v1/jobs", routes!(jobs::create::create)))
        .routes(at(
            "/api/v1/processing/{kind}",
            routes!(processing::create::create),
        ))
        .routes(at("/api/v1/batches", routes!(batches::create::create)))
        .merge(tus)
        // Uploads count their bytes themselves, because the limit of axum does not cover a streamed body.
        .layer(DefaultBodyLimit::disable())
        .routes(at(
            "/api/v1/jobs/{id}",
            routes!(jobs::actions::delete, jobs::patch::patch),
        ))
        .routes(at("/api/v1/jobs/{id}/cancel", routes!(jobs::actions::cancel)))
        .routes(at("/api/v1/jobs/{id}/retry", routes!(jobs::actions::retry)))
        .routes(at("/api/v1/uploads", routes!(uploads::create::create)))
        .routes(at("/api/v1/uploads/{id}", routes!(uploads::delete::delete)))
        .routes(at(
            "/api/v1/uploads/{id}/complete",
            routes!(uploads::complete::complete),
        ))
        .routes(at(
            "/api/v1/batches/{id}/cancel",
            routes!(batches::actions::cancel),
        ))
        .routes(at("/api/v1/batches/{id}/retry", routes!(batches::actions::retry)))
        .routes(at("/api/v1/webhooks", routes!(webhooks::create::create)))
        .routes(at(
            "/api/v1/webhooks/{id}",
            routes!(webhooks::delete::delete, webhooks::change::change),
        ))
        .routes(at(
            "/api/v1/webhooks/{id}/rotate",
            routes!(webhooks::rotate::rotate),
        ))
        .routes(at(
            "/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay",
            routes!(webhooks::deliveries::replay),
        ));
    let admin = OpenApiRouter::new()
        .routes(at(
            "/api/v1/keys",
            routes!(keys::list::list, keys::create::create),
        ))
        .routes(at(
            "/api/v1/keys/{id}",
            routes!(keys::get::get, keys::revoke::revoke),
        ))
        .routes(at("/api/v1/keys/{id}/rotate", routes!(keys::rotate::rotate)))
        .routes(at("/api/v1/dead-letters", routes!(dead_letters::list::list)))
        .routes(at(
            "/api/v1/dead-letters/{id}",
            routes!(dead_letters::get::get, dead_letters::discard::discard),
        ))
        .routes(at(
            "/api/v1/dead-letters/{id}/redrive",
            routes!(dead_letters::redrive::redrive),
        ));
    [
        (None, open),
        (Some(Scope::JobsRead), read),
        (Some(Scope::JobsWrite), write),
        (Some(Scope::Admin), admin),
    ]
}

/// The OpenAPI document of all routes.
pub(crate) fn document() -> anyhow::Result<Value> {
    openapi::document(groups().map(|(scope, group)| (scope, group.into_openapi())))
}

/// The API's router.
///
/// # Errors
/// When an annotation of a handler is wrong. A test builds the document too.
pub(crate) fn all(state: AppState) -> anyhow::Result<Router> {
    let document = docs::Document::new(&document()?);
    let mut all = Router::new();
    for (scope, group) in groups() {
        let (group, _) = group.split_for_parts();
        all = all.merge(match scope {
            Some(scope) => group.route_layer(from_fn_with_state((state.clone(), scope), authorize)),
            None => group,
        });
    }
    Ok(all
        .merge(page::router())
        .fallback(async || Problem::new(Code::NotFound, "there is no resource at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                Code::MethodNotAllowed,
                "this resource does not support this method",
            )
        })
        .layer(from_fn(problem::render))
        .layer(option_layer(headers::cors(
            &state.config.cors_origins,
            &tus::headers::EXPOSED,
        )))
        .layer(from_fn_with_state(state.clone(), tus::headers::announce))
        .layer(from_fn(headers::secure))
        .layer(from_fn(metrics::observe))
        .layer(Extension(document))
        .with_state(state))
}
