//! `/api/v1/keys`: making, listing, rotating and revoking keys. For operators: they see every tenant's.

use crate::{
    auth::{Caller, Token, keys::Keys},
    http::{
        extract::{Find, Owned, Params},
        problem::Problem,
    },
    state::AppState,
};
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vidp_record::{
    api_key::{Key, Scope},
    db::Db,
    time::{DateTime, after, from_timestamp},
    view,
};

/// How long the old key of a rotation goes on, unless told. Seconds.
const OVERLAP: u32 = 24 * 3600;
/// At most. Seconds.
const MAX_OVERLAP: u32 = 30 * 24 * 3600;
/// Longest name of a key or a tenant, in characters.
const MAX_NAME: usize = 64;
/// Keys on a page.
const PAGE: i64 = 100;

/// A key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// For people: what the key is used for.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Whose jobs it opens; the caller's own tenant by default.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    tenant: Option<String>,
    /// What it is good for; jobs:read and jobs:write by default.
    #[schema(min_items = 1)]
    scopes: Option<BTreeSet<Scope>>,
    /// When it ends; never by default.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<OffsetDateTime>,
}

/// How a key is rotated.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Seconds that the old key goes on; a day by default.
    #[schema(maximum = 2_592_000)]
    overlap_seconds: Option<u32>,
}

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only this tenant's.
    #[param(example = "acme")]
    tenant: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(example = "0198c2a4-11aa-7c2e-9d3f-5a6b7c8d9e0f")]
    cursor: Option<Uuid>,
}

/// What is known of a key.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyView<'a> {
    /// UUIDv7.
    id: Uuid,
    name: &'a str,
    tenant: &'a str,
    scopes: &'a BTreeSet<Scope>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<String>,
    /// Right to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<String>,
    /// The key of a rotation that takes this one's place.
    replaced_by: Option<&'a str>,
    /// Its text: in the answer that makes it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^vidp_[0-9a-f]{32}_[0-9a-f]{48}$")]
    key: Option<&'a str>,
}

impl<'a> KeyView<'a> {
    fn of(key: &'a Key) -> Self {
        KeyView {
            id: key.id,
            name: &key.name,
            tenant: &key.tenant,
            scopes: &key.scopes,
            created_at: view::time(Some(key.created_at)),
            expires_at: view::time(key.expires_at),
            revoked_at: view::time(key.revoked_at),
            last_used_at: view::time(key.last_used_at),
            replaced_by: key.replaced_by.as_deref(),
            key: None,
        }
    }
}

/// A page of keys, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeyList)]
struct KeyList<'a> {
    data: Vec<KeyView<'a>>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: Option<Uuid>,
}

/// Make a key.
///
/// Its text is in this answer and never again.
#[utoipa::path(
    post, path = "", operation_id = "createKey", tag = "Keys", request_body = NewKey,
    responses((status = 201, description = "The key.", body = KeyView,
        headers(("Location" = String, description = "The key's URL.")))),
    extensions(("x-problems" = json!(["conflict", "unsupported_content_type"]))),
)]
pub async fn create(
    State(db): State<Db>,
    State(keys): State<Arc<Keys>>,
    caller: Caller,
    body: Result<Json<NewKey>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(new) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    let tenant = new.tenant.unwrap_or_else(|| caller.tenant.clone());
    let scopes = new
        .scopes
        .unwrap_or_else(|| [Scope::JobsRead, Scope::JobsWrite].into());
    if !(1..=MAX_NAME).contains(&new.name.chars().count()) || new.name.chars().any(char::is_control) {
        return Err(Problem::invalid(format!(
            "name must be 1 to {MAX_NAME} characters"
        )));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if !(1..=MAX_NAME).contains(&tenant.len()) || !tenant.bytes().all(plain) {
        return Err(Problem::invalid(format!(
            "tenant must be 1 to {MAX_NAME} ASCII letters, digits, dots, hyphens or underscores"
        )));
    }
    if scopes.is_empty() {
        return Err(Problem::invalid("scopes must not be empty"));
    }
    let expires_at = match new.expires_at {
        Some(at) if at <= OffsetDateTime::now_utc() => {
            return Err(Problem::invalid("expires_at is over already"));
        }
        at => at.map(from_timestamp),
    };
    let (key, token) = make(&keys, new.name, tenant, scopes, expires_at)?;
    db.insert_key(&key).await?;
    tracing::info!(key = %key.id, tenant = key.tenant, by = caller.key_id, "key made");
    Ok(made(&key, &token))
}

/// List keys.
///
/// Newest first, revoked and expired ones too, without their text.
#[utoipa::path(
    get, path = "", operation_id = "listKeys", tag = "Keys", params(ListQuery),
    responses((status = 200, description = "A page.", body = KeyList)),
)]
pub async fn list(State(db): State<Db>, Params(query): Params<ListQuery>) -> Result<Response, Problem> {
    let keys = db.keys(query.tenant, query.cursor, PAGE).await?;
    let next_cursor = keys
        .last()
        .filter(|_| keys.len() as i64 == PAGE)
        .map(|key| key.id);
    let data = keys.iter().map(KeyView::of).collect();
    Ok(Json(KeyList { data, next_cursor }).into_response())
}

/// Get a key.
///
/// What is known of it, without its text.
#[utoipa::path(
    get, path = "", operation_id = "getKey", tag = "Keys",
    params(("id" = Uuid, Path, description = "The key.", example = "0198c2a4-11aa-7c2e-9d3f-5a6b7c8d9e0f")),
    responses((status = 200, description = "The key.", body = KeyView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn get(Owned(key): Owned<Key>) -> Result<Response, Problem> {
    Ok(Json(KeyView::of(&key)).into_response())
}

/// Revoke a key.
///
/// Every replica refuses it within seconds. It stays in the list.
#[utoipa::path(
    delete, path = "", operation_id = "revokeKey", tag = "Keys",
    params(("id" = Uuid, Path, description = "The key.", example = "0198c2a4-11aa-7c2e-9d3f-5a6b7c8d9e0f")),
    responses((status = 204, description = "It is revoked.")),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn revoke(
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

/// Rotate a key.
///
/// Makes a new key of the same name, tenant and scopes. The old one goes on for a while, so that its users can change
/// over: two live ones, and no third.
#[utoipa::path(
    post, path = "", operation_id = "rotateKey", tag = "Keys",
    params(("id" = Uuid, Path, description = "The key.", example = "0198c2a4-11aa-7c2e-9d3f-5a6b7c8d9e0f")),
    request_body(content = Option<Rotation>, example = json!({ "overlap_seconds": 3600 })),
    responses((status = 201, description = "The new key.", body = KeyView,
        headers(("Location" = String, description = "The new key's URL.")))),
    extensions(("x-problems" = json!(["not_found", "conflict", "unsupported_content_type"]))),
)]
pub async fn rotate(
    State(db): State<Db>,
    State(keys): State<Arc<Keys>>,
    caller: Caller,
    Owned(old): Owned<Key>,
    body: Result<Option<Json<Rotation>>, JsonRejection>,
) -> Result<Response, Problem> {
    let rotation = body.map_err(|error| Problem::invalid(error.body_text()))?;
    let overlap = rotation
        .and_then(|Json(rotation)| rotation.overlap_seconds)
        .unwrap_or(OVERLAP);
    if overlap > MAX_OVERLAP {
        return Err(Problem::invalid(format!(
            "overlap_seconds must be 0 to {MAX_OVERLAP}"
        )));
    }
    if !old.is_live() || old.replaced_by.is_some() {
        return Err(Problem::conflict("the key has ended or was rotated before"));
    }
    if db.predecessor(old.id).await?.is_some_and(|key| key.is_live()) {
        return Err(Problem::conflict(
            "the key before this one is still good: revoke it first",
        ));
    }
    let (key, token) = make(
        &keys,
        old.name.clone(),
        old.tenant.clone(),
        old.scopes.clone(),
        old.expires_at,
    )?;
    let ends = after(Duration::from_secs(overlap.into()));
    let ends = old.expires_at.map_or(ends, |at| at.min(ends));
    db.insert_key(&key).await?;
    // Of two rotations at the same time one wins; the other's key was never shown to anybody.
    if !db.replace_key(old.id, key.id, ends).await? {
        db.revoke_key(key.id, DateTime::now()).await?;
        return Err(Problem::conflict("the key was rotated or revoked just now"));
    }
    keys.forget(old.id);
    tracing::info!(key = %old.id, new = %key.id, tenant = key.tenant, by = caller.key_id, "key rotated");
    Ok(made(&key, &token))
}

fn make(
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
        hash: keys.hasher()?.hash(&token),
        created_at: DateTime::now(),
        expires_at,
        revoked_at: None,
        last_used_at: None,
        replaced_by: None,
    };
    Ok((key, token))
}

fn made(key: &Key, token: &Token) -> Response {
    let body = KeyView {
        key: Some(token.expose()),
        ..KeyView::of(key)
    };
    let headers = [
        (header::LOCATION, format!("/api/v1/keys/{}", key.id)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (StatusCode::CREATED, headers, Json(body)).into_response()
}

/// Operators see the keys of every tenant.
impl Find for Key {
    async fn find(state: &AppState, _: &Caller, id: &str) -> Result<Self, Problem> {
        let none = || Problem::none("key");
        let id = id.parse().map_err(|_| none())?;
        state.pipeline.db.key(id).await?.ok_or_else(none)
    }
}
