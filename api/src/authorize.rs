//! Authentication and authorization: every route of `/api/v1` requires a scope, and a client sees only its own tenant.

use crate::{
    auth::{Caller, keys},
    config::AuthMode,
    http::problem::{Code, Problem},
    limits,
    state::AppState,
};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{convert::Infallible, net::IpAddr};
use vidp_record::api_key::Scope;

/// Middleware of the routes that require one of some scopes. Refuses callers without one, and passes the [`Caller`] to the
/// handler.
///
/// It also counts requests and failed authentications, and writes the `RateLimit` fields.
pub(crate) async fn authorize(
    State((state, scopes)): State<(AppState, &'static [Scope])>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = limits::of_client(
        request.extensions(),
        request.headers(),
        &state.config.trusted_proxies,
    );
    let caller = match identify(&state, address, request.headers()).await {
        Ok(caller) => caller,
        Err(problem) => return challenge(problem, scopes),
    };
    let allowance = state.limits.request(&caller);
    let mut response = match (&allowance, caller.require(scopes)) {
        (Some(allowance), _) if allowance.is_used_up() => allowance
            .problem("too many requests with this key")
            .into_response(),
        (_, Err(problem)) => challenge(problem, scopes),
        (_, Ok(())) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    if let Some(allowance) = allowance {
        allowance.write(response.headers_mut());
    }
    response
}

/// Identifies the caller, and counts a failed authentication; 429 for an address with too many.
async fn identify(state: &AppState, address: Option<IpAddr>, headers: &HeaderMap) -> Result<Caller, Problem> {
    if state.config.auth == AuthMode::Off {
        return Ok(Caller::local());
    }
    let mut stranger = state.limits.stranger(address);
    let found = match sent_key(headers) {
        Ok(key) => keys::caller(&state.keys, &state.pipeline, key, &mut stranger).await,
        Err(problem) => Err(problem),
    };
    match found {
        Ok(caller) => {
            stranger.give_back();
            Ok(caller)
        }
        Err(problem) if problem.code() == Code::Unauthenticated => Err(match stranger.count() {
            Ok(()) => problem,
            Err(too_many) => too_many,
        }),
        Err(problem) => Err(problem),
    }
}

/// True for the caller of an open route that has a valid key, with any scope.
pub(crate) struct HasKey(pub(crate) bool);

impl FromRequestParts<AppState> for HasKey {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let is_open = state.config.auth == AuthMode::Off;
        if !is_open && sent_key(&parts.headers).is_err() {
            return Ok(HasKey(false));
        }
        let address = limits::of_client(&parts.extensions, &parts.headers, &state.config.trusted_proxies);
        Ok(HasKey(identify(state, address, &parts.headers).await.is_ok()))
    }
}

/// Reads the key from `Authorization: Bearer` (RFC 6750 §2.1) or `X-Api-Key`. A key in the URL is ignored, because URLs
/// are logged.
fn sent_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let bearer = text("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| text("x-api-key")).ok_or_else(|| {
        Problem::new(
            Code::Unauthenticated,
            "an API key is required: send `Authorization: Bearer vidp_...`",
        )
    })
}

/// Adds the `WWW-Authenticate` challenge to a 401 or 403 (RFC 9110 §11.6.1, RFC 6750 §3). It names the first scope.
fn challenge(problem: Problem, scopes: &[Scope]) -> Response {
    let challenge = match problem.code() {
        Code::Unauthenticated => "Bearer realm=\"vidp\"".to_owned(),
        Code::InsufficientScope => format!(
            "Bearer realm=\"vidp\", error=\"insufficient_scope\", scope=\"{}\"",
            scopes.first().map_or("", |scope| scope.as_str())
        ),
        _ => return problem.into_response(),
    };
    let mut response = problem.into_response();
    if let Ok(value) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], expected: Option<&str>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        assert_eq!(sent_key(&map).ok(), expected, "{headers:?}");
    }

    #[test]
    fn the_key_is_read_from_either_header() {
        check(&[("authorization", "Bearer vidp_a_b")], Some("vidp_a_b"));
        check(&[("authorization", "bearer  vidp_a_b")], Some("vidp_a_b"));
        check(&[("x-api-key", "vidp_a_b")], Some("vidp_a_b"));
        check(
            &[("authorization", "Basic dTpw"), ("x-api-key", "vidp_a_b")],
            Some("vidp_a_b"),
        );
        check(&[("authorization", "vidp_a_b")], None);
        check(&[], None);
    }
}
