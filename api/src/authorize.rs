//! Who asks, and what for: every route of `/api/v1` needs a scope, and every client sees its own tenant alone.

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

/// Middleware of the routes that need a scope: lets in whoever has it, and tells the handler who it is.
pub async fn authorize(
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

async fn identify(state: &AppState, headers: &HeaderMap, scope: Scope) -> Result<Caller, Problem> {
    let caller = match state.config.auth {
        AuthMode::Off => Caller::local(),
        AuthMode::Keys => keys::caller(&state.keys, &state.pipeline, shown_key(headers)?).await?,
    };
    if caller.scopes.contains(&scope) {
        return Ok(caller);
    }
    Err(Problem::new(
        Code::InsufficientScope,
        format!("this needs a key with the scope {}", scope.as_str()),
    ))
}

/// The key of `Authorization: Bearer` (RFC 6750 §2.1) or of `X-Api-Key`. Never one in the URL, which ends up in logs.
fn shown_key(headers: &HeaderMap) -> Result<&str, Problem> {
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
            "send your API key: `Authorization: Bearer vidp_...`",
        )
    })
}

/// Says how to get in (RFC 9110 §11.6.1, RFC 6750 §3).
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
        assert_eq!(shown_key(&map).ok(), expected, "{headers:?}");
    }

    #[test]
    fn a_key_comes_in_one_of_two_headers() {
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
