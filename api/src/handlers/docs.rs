//! The OpenAPI document, and a page that shows it and sends requests. All files are part of the program, so the page works
//! offline.

use axum::{
    Extension,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::Value;
use std::sync::Arc;

/// OpenAPI Explorer; `api/assets/README.md` names its source.
const EXPLORER: &str = include_str!("../../assets/openapi-explorer.min.js");
/// Entity tag of [`EXPLORER`]: its version.
const EXPLORER_TAG: &str = "\"openapi-explorer-2.4.820\"";
/// The page that loads [`EXPLORER`].
const PAGE: &str = include_str!("../../assets/docs.html");
/// The Content-Security-Policy of the page: no requests to other hosts. OpenAPI Explorer needs inline styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The text of the OpenAPI document, which the router builds once.
#[derive(Clone)]
pub(crate) struct Document(Arc<str>);

impl Document {
    /// The text of this document.
    pub(crate) fn new(document: &Value) -> Self {
        Document(document.to_string().into())
    }
}

/// Get the OpenAPI document.
///
/// Describes this release of the API in OpenAPI 3.1.
#[utoipa::path(
    get, path = "", operation_id = "getDocument", tag = "Service",
    responses((status = 200, description = "The OpenAPI document.", body = Object,
        example = json!({ "openapi": "3.1.0", "info": { "title": "VidP" } }))),
)]
pub(crate) async fn document(Extension(document): Extension<Document>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, document.0.to_string()).into_response()
}

/// Get the documentation page.
///
/// The page shows the OpenAPI document and has a form to try each operation.
#[utoipa::path(
    get, path = "", operation_id = "getDocs", tag = "Service",
    responses((status = 200, description = "The documentation page.", content_type = "text/html", body = String,
        headers(("Content-Security-Policy" = String, description = "Policy of this page.")),
        example = json!("<!doctype html>"))),
)]
pub(crate) async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}

/// Get the script of the documentation page.
///
/// The script is OpenAPI Explorer, unchanged.
#[utoipa::path(
    get, path = "", operation_id = "getDocsScript", tag = "Service",
    params(("If-None-Match" = Option<String>, Header, description = "`ETag` of the client's version.",
        example = "\"openapi-explorer-2.4.820\"")),
    responses(
        (status = 200, description = "The script.", content_type = "text/javascript", body = String,
            headers(("ETag" = String, description = "Version of the script.")), example = json!("(()=>{})()")),
        (status = 304, description = "The client already has the script.", headers(("ETag" = String, description = "Version of the script."))),
    ),
)]
pub(crate) async fn script(headers: HeaderMap) -> Response {
    let caching = [(header::ETAG, EXPLORER_TAG), (header::CACHE_CONTROL, "no-cache")];
    match headers.get(header::IF_NONE_MATCH) {
        Some(tag) if tag == EXPLORER_TAG => (StatusCode::NOT_MODIFIED, caching).into_response(),
        _ => (
            caching,
            [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
            EXPLORER,
        )
            .into_response(),
    }
}
