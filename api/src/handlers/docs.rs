//! The OpenAPI document, and a page that shows it and sends requests. All files are part of the program, so the page works
//! offline.

use crate::http::etag::ETag;
use axum::{
    Extension,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::Value;
use std::sync::Arc;

/// OpenAPI Explorer; `api/assets/README.md` names its source.
const EXPLORER: &str = include_str!("../../assets/openapi-explorer.min.js");
/// Text of the entity tag of [`EXPLORER`]: its version.
const EXPLORER_TAG: &str = "openapi-explorer-2.4.820";
/// The page that loads [`EXPLORER`].
const PAGE: &str = include_str!("../../assets/docs.html");
/// The Content-Security-Policy of the page: no requests to other hosts. OpenAPI Explorer needs inline styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The text of the OpenAPI document and its entity tag, which the router builds once.
#[derive(Clone)]
pub(crate) struct Document(Arc<str>, ETag);

impl Document {
    /// The text of this document.
    pub(crate) fn new(document: &Value) -> Self {
        let text = document.to_string();
        let tag = ETag::of_bytes(text.as_bytes());
        Document(text.into(), tag)
    }
}

/// Get the OpenAPI document.
///
/// Describes this release of the API in OpenAPI 3.1.
#[utoipa::path(
    get, path = "", operation_id = "getDocument", tag = "Service",
    params(("If-None-Match" = Option<String>, Header, description = "`ETag`s of the client's versions.",
        example = "\"5f8a1c0b9d2e7f34\"")),
    responses(
        (status = 200, description = "The OpenAPI document.", body = Object,
            headers(("ETag" = String, description = "Version of the document.")),
            example = json!({ "openapi": "3.1.0", "info": { "title": "VidP" } })),
        (status = 304, description = "The client already has the document.", headers(("ETag" = String, description = "Version of the document."))),
    ),
)]
pub(crate) async fn document(Extension(document): Extension<Document>, headers: HeaderMap) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    cached(&document.1, &headers, || (json, document.0.to_string()))
}

/// Get the documentation page.
///
/// The page shows the OpenAPI document and has a form to try each operation.
#[utoipa::path(
    get, path = "", operation_id = "getDocs", tag = "Service",
    params(("If-None-Match" = Option<String>, Header, description = "`ETag`s of the client's versions.",
        example = "\"5f8a1c0b9d2e7f34\"")),
    responses(
        (status = 200, description = "The documentation page.", content_type = "text/html", body = String,
            headers(
                ("ETag" = String, description = "Version of the page."),
                ("Content-Security-Policy" = String, description = "Policy of this page."),
            ),
            example = json!("<!doctype html>")),
        (status = 304, description = "The client already has the page.", headers(("ETag" = String, description = "Version of the page."))),
    ),
)]
pub(crate) async fn page(headers: HeaderMap) -> Response {
    // A 304 carries the policy too: browsers apply the headers of the latest answer to the stored page.
    let policy = [(header::CONTENT_SECURITY_POLICY, POLICY)];
    let tag = ETag::of_bytes(PAGE.as_bytes());
    (policy, cached(&tag, &headers, || Html(PAGE))).into_response()
}

/// Get the script of the documentation page.
///
/// The script is OpenAPI Explorer, unchanged.
#[utoipa::path(
    get, path = "", operation_id = "getDocsScript", tag = "Service",
    params(("If-None-Match" = Option<String>, Header, description = "`ETag`s of the client's versions.",
        example = "\"openapi-explorer-2.4.820\"")),
    responses(
        (status = 200, description = "The script.", content_type = "text/javascript", body = String,
            headers(("ETag" = String, description = "Version of the script.")), example = json!("(()=>{})()")),
        (status = 304, description = "The client already has the script.", headers(("ETag" = String, description = "Version of the script."))),
    ),
)]
pub(crate) async fn script(headers: HeaderMap) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    cached(&ETag::strong(EXPLORER_TAG), &headers, || (content_type, EXPLORER))
}

/// The answer `whole` with its entity tag, or 304 if the client has it.
fn cached<T: IntoResponse>(tag: &ETag, headers: &HeaderMap, whole: impl FnOnce() -> T) -> Response {
    let caching = [
        (header::ETAG, tag.value()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    match tag.is_known(headers) {
        true => (StatusCode::NOT_MODIFIED, caching).into_response(),
        false => (caching, whole()).into_response(),
    }
}
