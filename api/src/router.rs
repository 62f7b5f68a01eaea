//! Every URL with the scopes of which it requires one. The handlers document requests and responses.

use crate::{
    authorize::authorize,
    handlers::{
        batches, dead_letters, docs, embed, events,
        health::{self, cached::Cached, processing::Processing, ready::Readiness},
        jobs, keys, outputs, page, playback, processing, tus, uploads, webhooks,
    },
    http::{
        browser, headers, pace, prefix,
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
    routing::get,
};
use serde_json::Value;
use tower::util::option_layer;
use tower_http::compression::CompressionLayer;
use utoipa_axum::{router::OpenApiRouter, routes};
use vidp_record::api_key::Scope;

/// Scopes of routes that receive videos.
const CREATE: &[Scope] = &[Scope::JobsWrite, Scope::JobsCreate];

/// Every route, grouped by the scopes of which it requires one.
fn groups() -> [(&'static [Scope], OpenApiRouter<AppState>); 7] {
    let open = OpenApiRouter::new()
        .routes(at(
            "/api/v1/processing/health",
            routes!(health::processing::processing),
        ))
        .routes(at("/health", routes!(health::live::health)))
        .routes(at("/ready", routes!(health::ready::ready)))
        .routes(at("/openapi.json", routes!(docs::document)))
        .routes(at("/docs", routes!(docs::page)))
        .routes(at("/docs/openapi-explorer.js", routes!(docs::script)))
        .routes(at(tus::headers::BASE, routes!(tus::options::options)))
        .routes(at("/api/v1/play/{grant}/{file}", routes!(playback::get::get)));
    let read = OpenApiRouter::new()
        .routes(at("/api/v1/jobs", routes!(jobs::list::list)))
        // Jobs of a list are similar, so compression reduces it to about a tenth.
        .layer(CompressionLayer::new())
        .routes(at("/api/v1/jobs/{id}", routes!(jobs::get::get)))
        .routes(at("/api/v1/jobs/{id}/events", routes!(events::job::follow)))
        .routes(at("/api/v1/events", routes!(events::feed::follow)))
        .routes(at("/api/v1/batches/{id}", routes!(batches::get::get)))
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
            "/api/v1/jobs/{id}/playback",
            routes!(playback::create::create),
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
    let create = OpenApiRouter::new()
        .routes(at("/api/v1/jobs", routes!(jobs::create::create)))
        .routes(at(
            "/api/v1/processing/{kind}",
            routes!(processing::create::create),
        ))
        .merge(tus_routes(tus::headers::BASE))
        // Uploads count their bytes themselves, because the limit of axum does not cover a streamed body.
        .layer(DefaultBodyLimit::disable());
    let batches = OpenApiRouter::new()
        .routes(at("/api/v1/batches", routes!(batches::create::create)))
        .layer(DefaultBodyLimit::disable());
    let write = OpenApiRouter::new()
        .routes(at(
            "/api/v1/jobs/{id}",
            routes!(jobs::actions::delete, jobs::patch::patch),
        ))
        .routes(at("/api/v1/jobs/{id}/cancel", routes!(jobs::actions::cancel)))
        .routes(at("/api/v1/jobs/{id}/retry", routes!(jobs::actions::retry)))
        .routes(at(
            "/api/v1/jobs/{id}/playback",
            routes!(playback::revoke::revoke),
        ))
        .routes(at("/api/v1/uploads", routes!(uploads::create::create)))
        // The answer has URLs that write.
        .routes(at(
            "/api/v1/uploads/{id}",
            routes!(uploads::get::get, uploads::delete::delete),
        ))
        .routes(at(
            "/api/v1/uploads/{id}/complete",
            routes!(uploads::complete::complete),
        ))
        .routes(at(
            "/api/v1/batches/{id}/cancel",
            routes!(batches::actions::cancel),
        ))
        .routes(at("/api/v1/batches/{id}/retry", routes!(batches::actions::retry)))
        .layer(from_fn(pace::prompt))
        .merge(batches);
    let read_webhooks = OpenApiRouter::new()
        .routes(at("/api/v1/webhooks", routes!(webhooks::list::list)))
        .routes(at("/api/v1/webhooks/{id}", routes!(webhooks::get::get)))
        .routes(at(
            "/api/v1/webhooks/{id}/deliveries",
            routes!(webhooks::deliveries::list),
        ));
    let write_webhooks = OpenApiRouter::new()
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
        ))
        .layer(from_fn(pace::prompt));
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
        ))
        .layer(from_fn(pace::prompt));
    [
        (&[], open),
        (&[Scope::JobsRead], read),
        (CREATE, create),
        (&[Scope::JobsWrite], write),
        (&[Scope::WebhooksRead], read_webhooks),
        (&[Scope::WebhooksWrite], write_webhooks),
        (&[Scope::Admin], admin),
    ]
}

/// The router for probes and Prometheus, which have no keys. It has a separate listener, so that clients cannot hold all its
/// connections, and which network policies and the ingress keep from clients.
pub(crate) fn probes(state: AppState) -> Router {
    Router::new()
        .route("/health", get(health::live::health))
        .route("/ready", get(health::ready::ready))
        .route("/metrics", get(health::metrics::metrics))
        .layer(Extension(Cached::<Readiness>::default()))
        .with_state(state)
}

/// Further addresses of resumable uploads, which are not part of the OpenAPI document: the address of earlier releases, whose
/// clients keep it, and both addresses with a slash at the end, which some clients add.
fn further() -> [(&'static [Scope], OpenApiRouter<AppState>); 2] {
    let (mut options, mut uploads) = (OpenApiRouter::new(), tus_routes(tus::headers::ROOT));
    for url in [
        tus::headers::BASE_SLASH,
        tus::headers::ROOT,
        tus::headers::ROOT_SLASH,
    ] {
        options = options.routes(at(url, routes!(tus::options::options)));
    }
    for url in [tus::headers::BASE_SLASH, tus::headers::ROOT_SLASH] {
        uploads = uploads.merge(tus_creation(url).layer(from_fn(tus::headers::require_version)));
    }
    [
        (&[], options),
        (CREATE, uploads.layer(DefaultBodyLimit::disable())),
    ]
}

/// The route that starts resumable uploads at this address.
fn tus_creation(url: &str) -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(at(url, routes!(tus::create::create)))
}

/// The routes of resumable uploads at this address.
fn tus_routes(url: &str) -> OpenApiRouter<AppState> {
    tus_creation(url)
        .routes(at(
            &format!("{url}/{{id}}"),
            routes!(
                tus::head::head,
                tus::append::append,
                tus::delete::delete,
                tus::override_method::override_method
            ),
        ))
        .layer(from_fn(tus::headers::require_version))
}

/// The OpenAPI document of all routes.
pub(crate) fn document() -> anyhow::Result<Value> {
    openapi::document(groups().map(|(scopes, group)| (scopes, group.into_openapi())))
}

/// The API's router.
///
/// # Errors
/// When an annotation of a handler is wrong. A test builds the document too.
pub(crate) fn all(state: AppState) -> anyhow::Result<Router> {
    let document = docs::Document::new(&document()?);
    let mut all = Router::new();
    for (scopes, group) in groups().into_iter().chain(further()) {
        let (group, _) = group.split_for_parts();
        all = all.merge(match scopes {
            [] => group,
            scopes => group.route_layer(from_fn_with_state((state.clone(), scopes), authorize)),
        });
    }
    Ok(all
        .merge(page::router())
        .merge(embed::router())
        .fallback(async || Problem::new(Code::NotFound, "there is no resource at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                Code::MethodNotAllowed,
                "this resource does not support this method",
            )
        })
        .layer(from_fn_with_state(state.clone(), browser::guard))
        .layer(from_fn(problem::render))
        .layer(from_fn(prefix::locate))
        .layer(option_layer(headers::cors(
            &state.config.cors_origins,
            &tus::headers::EXPOSED,
        )))
        .layer(from_fn(playback::get::open_to_pages))
        .layer(from_fn_with_state(state.clone(), tus::headers::announce))
        .layer(from_fn(headers::secure))
        .layer(from_fn(metrics::observe))
        .layer(Extension(document))
        .layer(Extension(Cached::<Readiness>::default()))
        .layer(Extension(Cached::<Processing>::default()))
        .with_state(state))
}
