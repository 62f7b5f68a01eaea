//! Who asks, and what for: every route of `/api/v1` needs a scope, and every client sees its own tenant alone.

use crate::problem::Problem;
use axum::{
    extract::{FromRequestParts, Request, State},
    http::request::Parts,
    middleware::Next,
    response::Response,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The tenant of everything when the API asks nobody who they are.
pub const LOCAL_TENANT: &str = "local";

/// What a client may do. None includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Read the tenant's jobs and their outputs.
    #[serde(rename = "jobs:read")]
    JobsRead,
    /// Make, change and delete the tenant's jobs.
    #[serde(rename = "jobs:write")]
    JobsWrite,
    /// What operators do, for every tenant.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every one.
    pub const ALL: [Scope; 3] = [Scope::JobsRead, Scope::JobsWrite, Scope::Admin];
}

/// Who asks. An extractor for handlers whose route has a scope in `routes.rs`.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose jobs these are.
    pub tenant: String,
    /// The key that was shown; none as long as nobody is asked for one.
    pub key_id: Option<String>,
    /// What the key is good for.
    pub scopes: BTreeSet<Scope>,
}

impl Caller {
    /// Everybody, when nobody is asked.
    fn local() -> Self {
        Caller {
            tenant: LOCAL_TENANT.to_owned(),
            key_id: None,
            scopes: Scope::ALL.into(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| Problem::internal("a handler asks for its caller, and its route has no scope"))
    }
}

/// Middleware of the routes that need a scope: tells the handler who asks. There are no keys yet, so that everybody
/// is the local tenant and has every scope.
pub async fn authorize(State(scope): State<Scope>, mut request: Request, next: Next) -> Response {
    let caller = Caller::local();
    debug_assert!(caller.scopes.contains(&scope));
    request.extensions_mut().insert(caller);
    next.run(request).await
}
