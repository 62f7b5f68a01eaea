//! The web page at `/`. Its files are in the program; a debug build reads them from `web/` at each request, so that a
//! change shows without compiling.

use crate::{
    app::{App, Shared},
    problem::{Code, Problem},
};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use reqwest::Url;
use rust_embed::Embed;
use tower_http::compression::CompressionLayer;
use vidp_contract::hex;

#[derive(Embed)]
#[folder = "../web"]
#[exclude = "*.md"]
#[exclude = "biome.json"]
struct Files;

/// `/` and the files below `/web/`. No part of the API's document.
pub fn router() -> Router<Shared> {
    Router::new()
        .route(
            "/",
            get(async |State(app): State<Shared>, headers: HeaderMap| file(&app, &headers, "index.html")),
        )
        .route(
            "/web/{*path}",
            get(
                async |State(app): State<Shared>, headers: HeaderMap, Path(path): Path<String>| {
                    file(&app, &headers, &path)
                },
            ),
        )
        .layer(CompressionLayer::new())
}

fn file(app: &App, headers: &HeaderMap, path: &str) -> Response {
    let Some(file) = Files::get(path) else {
        return Problem::new(Code::NotFound, "there is nothing at this address").into_response();
    };
    let tag = format!("\"{}\"", &hex(&file.metadata.sha256_hash())[..16]);
    // Weak: what is sent may be compressed.
    let tag = format!("W/{tag}");
    // With the policy, also of a page that the client has: browsers take the fields of the latest answer.
    let policy = policy(&app.config.public_s3().s3_endpoint);
    let common = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, &policy),
    ];
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == tag.as_str())
    {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = [(header::CONTENT_TYPE, file.metadata.mimetype())];
    (common, kind, file.data).into_response()
}

/// Nothing from elsewhere, but for the media that presigned URLs of the object store lead to.
fn policy(store: &str) -> String {
    let store = Url::parse(store).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization());
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob: {store}; \
         media-src 'self' blob: {store}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}
