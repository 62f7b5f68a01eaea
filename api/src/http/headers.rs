//! Header fields that every answer has: what browsers may do with it.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use std::time::Duration;
use tower_http::cors::{AllowHeaders, CorsLayer};

/// How long a browser may keep a preflight's answer.
const PREFLIGHT: Duration = Duration::from_secs(3600);

/// Lets the pages of these origins use the API; of no others. Keys travel in a header that a page must set itself, so
/// that there are no cookies to let in.
pub fn cors(origins: &[HeaderValue], exposed: &[HeaderName]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let own = ["ratelimit", "ratelimit-policy", "x-request-id"].map(HeaderName::from_static);
    let standard = [
        header::LOCATION,
        header::ETAG,
        header::RETRY_AFTER,
        header::CONTENT_RANGE,
    ];
    let layer = CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([&standard[..], &own, exposed].concat())
        .max_age(PREFLIGHT);
    Some(layer)
}

/// Nothing that a client uploaded is run by a browser that comes upon it: no sniffing of types, no frames, no scripts but
/// those of the pages that say otherwise (OWASP Secure Headers Project).
pub async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        ),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
