//! Header fields of every response that control browsers: CORS and security.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use std::time::Duration;
use tower_http::cors::{AllowHeaders, CorsLayer};

/// Time that a browser may cache the response to a preflight request.
const PREFLIGHT_LIFE: Duration = Duration::from_secs(3600);

/// Allows pages of these origins to call the API; `None` without origins.
///
/// Credentials stay disabled: the API uses no cookies, and a page sets the header with its key itself.
pub(crate) fn cors(origins: &[HeaderValue], exposed: &[HeaderName]) -> Option<CorsLayer> {
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
        .max_age(PREFLIGHT_LIFE);
    Some(layer)
}

/// Middleware that keeps browsers from running uploaded content (OWASP Secure Headers Project).
///
/// It forbids content sniffing, frames and scripts. Pages with scripts set their own policy, which is not overwritten. A page whose
/// policy names frame ancestors may be shown in their frames.
pub(crate) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        ),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Old browsers do not read `frame-ancestors`.
    let policy = headers.get(header::CONTENT_SECURITY_POLICY);
    let policy = policy.and_then(|policy| policy.to_str().ok());
    if policy.is_some_and(|policy| policy.contains("frame-ancestors 'none'")) {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    response
}
