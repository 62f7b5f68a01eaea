//! `POST /keys/{id}/rotate`: replaces an API key; both keys work during the overlap.

use super::{
    issue::{created, issue},
    view::KeyView,
};
use crate::{
    auth::{Caller, keys::Keys},
    http::{body, extract::Owned, problem::Problem},
};
use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;
use vidp_record::{
    api_key::Key,
    db::Db,
    time::{DateTime, after},
};

/// Default time in seconds for which the old key stays valid.
const OVERLAP: u32 = 24 * 3600;
/// Longest time in seconds for which the old key stays valid.
const MAX_OVERLAP: u32 = 30 * 24 * 3600;

/// The rotation of a key.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// Seconds for which the old key stays valid. Default: 86400, a day.
    #[schema(maximum = 2_592_000)]
    overlap_seconds: Option<u32>,
}

/// Rotate a key.
///
/// Creates a new key with the same name, tenant and scopes. The old key stays valid for `overlap_seconds`, so that its
/// users can switch to the new key. At most two keys of a rotation are valid at the same time.
#[utoipa::path(
    post, path = "", operation_id = "rotateKey", tag = "Keys",
    params(("id" = Uuid, Path, description = "Id of the key.", example = "0198c2a4-11aa-7c2e-9d3f-5a6b7c8d9e0f")),
    request_body(content = Option<Rotation>, example = json!({ "overlap_seconds": 3600 })),
    responses((status = 201, description = "The new key with its secret text.", body = KeyView,
        headers(("Location" = String, description = "URL of the new key.")))),
    extensions(("x-problems" = json!(["not_found", "conflict", "unsupported_content_type"]))),
)]
pub(crate) async fn rotate(
    State(db): State<Db>,
    State(keys): State<Arc<Keys>>,
    caller: Caller,
    Owned(old): Owned<Key>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let rotation: Rotation = body::optional_json(&headers, body)?;
    let overlap = rotation.overlap_seconds.unwrap_or(OVERLAP);
    if overlap > MAX_OVERLAP {
        return Err(Problem::invalid(format!(
            "overlap_seconds must be 0 to {MAX_OVERLAP}"
        )));
    }
    if !old.is_live() || old.replaced_by.is_some() {
        return Err(Problem::conflict(
            "the key has expired, or was already revoked or rotated",
        ));
    }
    if db.predecessor(old.id).await?.is_some_and(|key| key.is_live()) {
        return Err(Problem::conflict(
            "the previous key is still valid: revoke it first",
        ));
    }
    let (key, token) = issue(
        &keys,
        old.name.clone(),
        old.tenant.clone(),
        old.granted(),
        old.expires_at,
    )?;
    let ends = after(Duration::from_secs(overlap.into()));
    let ends = old.expires_at.map_or(ends, |at| at.min(ends));
    db.insert_key(&key).await?;
    // One of two concurrent rotations wins. The other one revokes its key, which no client has received.
    if !db.replace_key(old.id, key.id, ends).await? {
        db.revoke_key(key.id, DateTime::now()).await?;
        return Err(Problem::conflict(
            "another request has rotated or revoked the key",
        ));
    }
    keys.forget(old.id);
    tracing::info!(key = %old.id, new = %key.id, tenant = key.tenant, by = caller.key_id, "key rotated");
    Ok(created(&key, &token))
}
