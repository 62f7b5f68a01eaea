//! `POST /keys`: creates an API key.

use super::{
    issue::{created, issue},
    view::KeyView,
};
use crate::{
    auth::{Caller, keys::Keys},
    http::{body, problem::Problem},
};
use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};
use time::OffsetDateTime;
use utoipa::ToSchema;
use vidp_record::{api_key::Scope, db::Db, time::from_timestamp};

/// Longest name of a key or of a tenant, in characters.
const MAX_NAME: usize = 64;

/// An API key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// Name for people, for example the client that uses the key.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Tenant whose jobs the key can access. Default: the tenant of the caller.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    tenant: Option<String>,
    /// Scopes of the key. Default: `jobs:read`, `jobs:write`, `webhooks:read` and `webhooks:write`.
    #[schema(min_items = 1)]
    scopes: Option<BTreeSet<Scope>>,
    /// When the key expires. Default: never.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<OffsetDateTime>,
}

/// Create a key.
///
/// Only this answer contains the secret text of the key.
#[utoipa::path(
    post, path = "", operation_id = "createKey", tag = "Keys", request_body = NewKey,
    responses((status = 201, description = "The new key with its secret text.", body = KeyView,
        headers(("Location" = String, description = "URL of the key.")))),
    extensions(("x-problems" = json!(["conflict", "unsupported_content_type"]))),
)]
pub(crate) async fn create(
    State(db): State<Db>,
    State(keys): State<Arc<Keys>>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let new: NewKey = body::json(&headers, body)?;
    let tenant = new.tenant.unwrap_or_else(|| caller.tenant.clone());
    let scopes = new.scopes.unwrap_or_else(|| Scope::DEFAULT.into());
    if !(1..=MAX_NAME).contains(&new.name.chars().count()) || new.name.chars().any(char::is_control) {
        return Err(Problem::invalid(format!(
            "name must have 1 to {MAX_NAME} characters and no control characters"
        )));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    // The name may be a segment of object keys (VIDP_SOURCE_BUCKETS), in which a store may resolve dots.
    let is_relative = [".", ".."].contains(&tenant.as_str());
    if !(1..=MAX_NAME).contains(&tenant.len()) || !tenant.bytes().all(plain) || is_relative {
        return Err(Problem::invalid(format!(
            "tenant must be 1 to {MAX_NAME} ASCII letters, digits, dots, hyphens or underscores, and not `.` or `..`"
        )));
    }
    if scopes.is_empty() {
        return Err(Problem::invalid("scopes must not be empty"));
    }
    let expires_at = match new.expires_at {
        Some(at) if at <= OffsetDateTime::now_utc() => {
            return Err(Problem::invalid("expires_at must be in the future"));
        }
        at => at.map(from_timestamp),
    };
    let (key, token) = issue(&keys, new.name, tenant, scopes, expires_at)?;
    db.insert_key(&key).await?;
    tracing::info!(key = %key.id, tenant = key.tenant, by = caller.key_id, "key created");
    Ok(created(&key, &token))
}
