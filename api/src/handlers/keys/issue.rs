//! Creates a key and its secret, for a new key and for a rotation.

use super::view::KeyView;
use crate::{
    auth::{Token, keys::Keys},
    http::problem::Problem,
};
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use std::collections::BTreeSet;
use vidp_record::{
    api_key::{Key, SCOPES_VERSION, Scope},
    time::DateTime,
};

/// A key with a new random secret. It is not stored yet.
pub(super) fn issue(
    keys: &Keys,
    name: String,
    tenant: String,
    scopes: BTreeSet<Scope>,
    expires_at: Option<DateTime>,
) -> Result<(Key, Token), Problem> {
    let token = Token::random().map_err(Problem::internal)?;
    let key = Key {
        id: token.id,
        name,
        tenant,
        scopes,
        scopes_version: SCOPES_VERSION,
        hash: keys.hasher()?.hash(&token),
        created_at: DateTime::now(),
        expires_at,
        revoked_at: None,
        last_used_at: None,
        replaced_by: None,
    };
    Ok((key, token))
}

/// 201 with the key and its secret, which no cache may store.
pub(super) fn created(key: &Key, token: &Token) -> Response {
    let headers = [
        (header::LOCATION, format!("/api/v1/keys/{}", key.id)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let body = Json(KeyView::with_secret(key, token.expose()));
    (StatusCode::CREATED, headers, body).into_response()
}
