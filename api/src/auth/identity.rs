//! The caller of a request: its tenant and its scopes.

use crate::http::problem::{Code, Problem};
use axum::{extract::FromRequestParts, http::request::Parts};
use std::collections::BTreeSet;
use vidp_record::{api_key::Scope, tenant::LOCAL_TENANT};

/// The authenticated caller. An extractor for handlers whose route has a scope in `router.rs`.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The tenant whose documents the caller may see.
    pub(crate) tenant: String,
    /// The id of the caller's key; `None` without authentication.
    pub(crate) key_id: Option<String>,
    /// The scopes of the key.
    pub(crate) scopes: BTreeSet<Scope>,
}

impl Caller {
    /// True if the key has the scope.
    pub(crate) fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Fails with 403 if the key has none of the scopes.
    pub(crate) fn require(&self, scopes: &[Scope]) -> Result<(), Problem> {
        if scopes.iter().any(|scope| self.has(*scope)) {
            return Ok(());
        }
        let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        let detail = format!(
            "this request requires a key with the scope {}",
            names.join(" or ")
        );
        Err(Problem::new(Code::InsufficientScope, detail))
    }

    /// The caller of every request when authentication is off.
    pub(crate) fn local() -> Self {
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
        caller.ok_or_else(|| Problem::internal("a handler requests its caller, but its route has no scope"))
    }
}
