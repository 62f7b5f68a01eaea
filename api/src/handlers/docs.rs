//! The OpenAPI document and a page that shows it and tries it out. Everything is in the program: it works offline.

use axum::{
    Extension,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::Value;
use std::sync::Arc;

/// OpenAPI Explorer; `api/assets/README.md` says where it is from.
const EXPLORER: &str = include_str!("../../assets/openapi-explorer.min.js");
const EXPLORER_TAG: &str = "\"openapi-explorer-2.4.820\"";
const PAGE: &str = include_str!("../../assets/docs.html");
/// Nothing from elsewhere, and nothing to elsewhere. The component writes its styles into its own elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The text of the OpenAPI document, which the router makes once.
#[derive(Clone)]
pub struct Document(Arc<str>);

impl Document {
    /// The text of this document.
    pub fn new(document: &Value) -> Self {
        Document(document.to_string().into())
    }
}

/// Give this document.
///
/// OpenAPI 3.1 of this very release.
#[utoipa::path(
    get, path = "", operation_id = "getDocument", tag = "Service",
    responses((status = 200, description = "This document.", body = Object,
        example = json!({ "openapi": "3.1.0", "info": { "title": "VidP" } }))),
)]
pub async fn document(Extension(document): Extension<Document>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, document.0.to_string()).into_response()
}

/// Show this document.
///
/// A page for people, with a form to try each operation.
#[utoipa::path(
    get, path = "", operation_id = "getDocs", tag = "Service",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String,
        headers(("Content-Security-Policy" = String, description = "Of its own.")),
        example = json!("<!doctype html>"))),
)]
pub async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}

/// Give the page's script.
///
/// OpenAPI Explorer, as it was published.
#[utoipa::path(
    get, path = "", operation_id = "getDocsScript", tag = "Service",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` that the client has.",
        example = "\"openapi-explorer-2.4.820\"")),
    responses(
        (status = 200, description = "The script.", content_type = "text/javascript", body = String,
            headers(("ETag" = String, description = "Changes with its version.")), example = json!("(()=>{})()")),
        (status = 304, description = "The client has it.", headers(("ETag" = String, description = "As it was sent."))),
    ),
)]
pub async fn script(headers: HeaderMap) -> Response {
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
