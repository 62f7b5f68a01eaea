//! Protection of a server without keys from web pages that its user visits.
//!
//! Without keys every request has all rights, so a request of a foreign page must not arrive. A page reaches a local
//! server in two ways: it sends requests across sites, or its own host name is made to resolve to this machine (DNS
//! rebinding).

use crate::{
    config::{ApiConfig, AuthMode},
    http::problem::{Code, Problem},
};
use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, header,
        uri::{Authority, Uri},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::IpAddr, sync::Arc};

/// States the relation between the page that sends a request and the server (Fetch Metadata Request Headers).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Middleware that refuses requests for another host, and changes by foreign pages. A server with keys needs neither: a
/// page cannot send a key that it does not have.
pub(crate) async fn guard(State(config): State<Arc<ApiConfig>>, request: Request, next: Next) -> Response {
    if config.auth == AuthMode::Off
        && let Err(problem) = check(&config, &request)
    {
        return problem.into_response();
    }
    next.run(request).await
}

fn check(config: &ApiConfig, request: &Request) -> Result<(), Problem> {
    let host = authority(request).filter(|host| is_own(config, host));
    let Some(host) = host else {
        return Err(Problem::new(
            Code::Misdirected,
            "this server runs without API keys, so it accepts only localhost and loopback addresses as Host; set VIDP_ALLOWED_HOSTS to add a name",
        ));
    };
    if !request.method().is_safe() && is_foreign(config, request.headers(), &host) {
        return Err(Problem::new(
            Code::CrossSite,
            "a page of another origin sent this request; VIDP_CORS_ORIGINS lists the origins that may",
        ));
    }
    Ok(())
}

/// The host and port that the request names; `None` without a readable one.
fn authority(request: &Request) -> Option<Authority> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.clone());
    }
    let host = request.headers().get(header::HOST)?;
    Authority::try_from(host.as_bytes()).ok()
}

/// True for a name or address of this machine, and for a name of the settings. An address cannot be rebound, so that any
/// is accepted when the settings open the server to other machines.
fn is_own(config: &ApiConfig, authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_local = match address {
        Ok(address) => address.is_loopback() || config.auth_off_beyond_loopback,
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    };
    is_local
        || config
            .allowed_hosts
            .iter()
            .any(|name| name.eq_ignore_ascii_case(host))
}

/// True for a request of a page of another origin that the settings do not list.
fn is_foreign(config: &ApiConfig, headers: &HeaderMap, host: &Authority) -> bool {
    let origin = headers.get(header::ORIGIN);
    if origin.is_some_and(|origin| config.cors_origins.contains(origin)) {
        return false;
    }
    let crosses_sites = headers.get(SITE).is_some_and(|site| site == "cross-site");
    crosses_sites || origin.is_some_and(|origin| !is_of(origin, host))
}

/// True if the origin has this host and port. The scheme may differ, because a proxy may terminate TLS.
fn is_of(origin: &HeaderValue, host: &Authority) -> bool {
    let Ok(origin) = Uri::try_from(origin.as_bytes()) else {
        return false;
    };
    let default = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    origin
        .authority()
        .is_some_and(|from| from.host().eq_ignore_ascii_case(host.host()) && port(from) == port(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use clap::Parser;

    fn check(settings: &[&str], method: &str, headers: &[(&str, &str)], expected: Option<Code>) {
        let config = ApiConfig::parse_from([&["vidp-api", "--auth=off"], settings].concat());
        let mut request = axum::http::Request::builder().method(method).uri("/api/v1/jobs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let code = super::check(&config, &request.body(Body::empty()).unwrap())
            .err()
            .map(|problem| problem.code());
        assert_eq!(code, expected, "{settings:?} {method} {headers:?}");
    }

    #[test]
    fn a_server_without_keys_answers_under_its_own_names() {
        let host = |settings: &[&str], host: &str, own: bool| {
            let expected = (!own).then_some(Code::Misdirected);
            check(settings, "GET", &[("host", host)], expected);
        };
        for own in [
            "localhost",
            "LOCALHOST:8000",
            "127.0.0.1:8000",
            "127.9.9.9",
            "[::1]:8000",
        ] {
            host(&[], own, true);
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8000",
            "192.168.1.5:8000",
            "[fe80::1]",
            "",
        ] {
            host(&[], foreign, false);
        }
        check(&[], "GET", &[], Some(Code::Misdirected));
        let beyond = ["--auth-off-beyond-loopback", "--allowed-hosts=vidp,video.lan"];
        host(&beyond, "192.168.1.5:8000", true);
        host(&beyond, "vidp:8000", true);
        host(&beyond, "Video.lan", true);
        host(&beyond, "evil.example", false);
    }

    #[test]
    fn foreign_pages_change_nothing() {
        let site = |method: &str, more: &[(&str, &str)], allowed: bool| {
            let cors = ["--cors-origins=https://app.example.com"];
            let headers = [&[("host", "localhost:8000")], more].concat();
            check(&cors, method, &headers, (!allowed).then_some(Code::CrossSite));
        };
        site("POST", &[], true);
        site("POST", &[("origin", "http://localhost:8000")], true);
        site("POST", &[("sec-fetch-site", "same-origin")], true);
        site("POST", &[("sec-fetch-site", "none")], true);
        site("POST", &[("sec-fetch-site", "cross-site")], false);
        site("GET", &[("sec-fetch-site", "cross-site")], true);
        for origin in [
            "http://localhost:3000",
            "http://evil.example:8000",
            "http://localhost",
            "null",
            "x",
        ] {
            site("DELETE", &[("origin", origin)], false);
        }
        let listed = [
            ("origin", "https://app.example.com"),
            ("sec-fetch-site", "cross-site"),
        ];
        site("POST", &listed, true);
        let proxied = [("host", "localhost"), ("origin", "https://localhost")];
        check(&[], "POST", &proxied, None);
    }
}
