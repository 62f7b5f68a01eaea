//! Authentication and authorization: every route of `/api/v1` requires a scope, and a client sees only its own tenant.

use crate::{
    auth::{Caller, keys},
    config::AuthMode,
    http::problem::{Code, Problem},
    limits,
    state::AppState,
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use vidp_record::api_key::Scope;

/// Middleware of the routes that require a scope. Refuses callers without it, and passes the [`Caller`] to the handler.
///
/// It also counts requests and failed authentications, and writes the `RateLimit` fields.
pub(crate) async fn authorize(
    State((state, scope)): State<(AppState, Scope)>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match identify(&state, request.headers(), scope).await {
        Ok(caller) => caller,
        Err(problem) if problem.code() == Code::Unauthenticated => {
            let address = limits::of_client(&request, &state.config.trusted_proxies);
            return challenge(state.limits.failed(address, problem), scope);
        }
        Err(problem) => return challenge(problem, scope),
    };
    let allowance = state.limits.request(&caller);
    let mut response = match &allowance {
        Some(allowance) if allowance.is_used_up() => allowance
            .problem("too many requests with this key")
            .into_response(),
        _ => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    if let Some(allowance) = allowance {
        allowance.write(response.headers_mut());
    }
    response
}

/// Identifies the caller, and checks that its key has the scope.
async fn identify(state: &AppState, headers: &HeaderMap, scope: Scope) -> Result<Caller, Problem> {
    let caller = match state.config.auth {
        AuthMode::Off => Caller::local(),
        AuthMode::Keys => keys::caller(&state.keys, &state.pipeline, sent_key(headers)?).await?,
    };
    if caller.scopes.contains(&scope) {
        return Ok(caller);
    }
    Err(Problem::new(
        Code::InsufficientScope,
        format!("this request requires a key with the scope {}", scope.as_str()),
    ))
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

/// Adds the `WWW-Authenticate` challenge to a 401 or 403 (RFC 9110 §11.6.1, RFC 6750 §3).
fn challenge(problem: Problem, scope: Scope) -> Response {
    let challenge = match problem.code() {
        Code::Unauthenticated => "Bearer realm=\"vidp\"".to_owned(),
        Code::InsufficientScope => format!(
            "Bearer realm=\"vidp\", error=\"insufficient_scope\", scope=\"{}\"",
            scope.as_str()
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
