//! `DELETE /keys/{id}`: revokes an API key.

use crate::{
    auth::{Caller, keys::Keys},
    http::{extract::Owned, problem::Problem},
};
use axum::{extract::State, http::StatusCode};
use std::sync::Arc;
use vidp_record::{api_key::Key, db::Db, time::DateTime};

/// Revoke a key.
///
/// Every replica refuses the key within 30 seconds. The list still contains the key.
#[utoipa::path(
    delete, path = "", operation_id = "revokeKey", tag = "Keys",
    params(("id" = Uuid, Path, description = "Id of the key.", example = "0198c2a4-11aa-7c2e-9d3f-5a6b7c8d9e0f")),
    responses((status = 204, description = "The key has been revoked.")),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn revoke(
    State(db): State<Db>,
    State(keys): State<Arc<Keys>>,
    caller: Caller,
    Owned(key): Owned<Key>,
) -> Result<StatusCode, Problem> {
    db.revoke_key(key.id, DateTime::now()).await?;
    keys.forget(key.id);
    tracing::info!(key = %key.id, tenant = key.tenant, by = caller.key_id, "key revoked");
    Ok(StatusCode::NO_CONTENT)
}
