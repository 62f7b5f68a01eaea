//! The path below which a proxy publishes the API.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

/// The path that a proxy has removed from the request's path, such as `/vidp`.
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// Longest accepted prefix, in bytes.
const MAX_PREFIX: usize = 256;

/// Middleware that puts the proxy's path before the path in `Location`, so that clients find it as it stands.
///
/// A client may send the field itself. It then changes nothing but its own answer, in which a path stays a path: no field of
/// another client and no other host can be named.
pub(crate) async fn locate(request: Request, next: Next) -> Response {
    let prefix = prefix(request.headers());
    let mut response = next.run(request).await;
    let location = response.headers().get(header::LOCATION);
    let path = location.and_then(|value| value.to_str().ok());
    if let (Some(prefix), Some(path)) = (prefix, path.filter(|path| path.starts_with('/')))
        && let Ok(value) = HeaderValue::try_from(prefix + path)
    {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// The prefixes of all proxies, the outermost first. `None` without one, or when one is no plain path.
fn prefix(headers: &HeaderMap) -> Option<String> {
    let mut prefix = String::new();
    for line in headers.get_all(PREFIX) {
        for part in line.to_str().ok()?.split(',') {
            let part = part.trim().trim_end_matches('/');
            let is_plain = part.is_empty() || part.strip_prefix('/')?.split('/').all(is_segment);
            prefix.push_str(Some(part).filter(|_| is_plain)?);
        }
    }
    Some(prefix).filter(|prefix| (1..=MAX_PREFIX).contains(&prefix.len()))
}

/// True for a segment of a path that needs no escapes and is not relative.
fn is_segment(segment: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_prefixes() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let line = |line: &&str| (PREFIX, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            let headers: HeaderMap = lines.iter().map(line).collect();
            assert_eq!(prefix(&headers).as_deref(), expected, "{lines:?}");
        };
        check(&[], None);
        check(&["/vidp"], Some("/vidp"));
        check(&["/vidp/"], Some("/vidp"));
        check(&["/tools/vidp-1.0_a~b"], Some("/tools/vidp-1.0_a~b"));
        check(&["/outer", "/inner"], Some("/outer/inner"));
        check(&["/outer, /inner"], Some("/outer/inner"));
        check(&["/"], None);
        check(&[""], None);
        let long = format!("/{}", "a".repeat(MAX_PREFIX));
        for wrong in [
            "vidp",
            "//evil.example",
            "/a//b",
            "/a/../b",
            "/..",
            "/a b",
            "/a\\b",
            "/é",
            "/a?b",
            "/a#b",
            "/a%2fb",
            "https://evil.example",
            &long,
        ] {
            check(&[wrong], None);
            check(&["/vidp", wrong], None);
        }
    }
}
