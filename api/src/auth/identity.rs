//! The caller of a request: its tenant and its scopes.

use crate::http::problem::Problem;
use axum::{extract::FromRequestParts, http::request::Parts};
use std::collections::BTreeSet;
use vidp_record::{api_key::Scope, tenant::LOCAL_TENANT};

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
    pub fn local() -> Self {
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
