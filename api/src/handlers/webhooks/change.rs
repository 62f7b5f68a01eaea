//! Webhooks by Standard Webhooks 1.0.0: who is told when a job ends. Registered here; [`mod@announce`] makes the messages,
//! [`send`] brings them, [`deliveries`] shows what became of them.

pub mod deliveries;
mod view;

use crate::{
    auth::Caller,
    config::ApiConfig,
    http::{
        body,
        extract::{Find, Owned, error_or_none},
        merge_patch,
        problem::Problem,
    },
    state::AppState,
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::merge_patch as merge;
use vidp_pipeline::outbound;
use vidp_record::{
    db::{Db, DbError},
    time::DateTime,
    webhook::{EventType, Secret, Webhook},
};
use view::{WebhookList, WebhookView};

/// Webhooks of a tenant.
const MAX_WEBHOOKS: usize = 20;
/// Longest URL and description, in characters.
const MAX_TEXT: usize = 2048;
/// How long the old secret signs beside a new one, unless told, and at most.
const OVERLAP: u64 = 24 * 3600;
const MAX_OVERLAP: u64 = 30 * 24 * 3600;

/// A webhook to make.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
pub struct Wanted {
    /// Where to send: public, and `https`.
    #[schema(format = "uri", max_length = 2048)]
    url: String,
    /// What is told; everything when empty.
    #[serde(default)]
    event_types: Vec<EventType>,
    /// For people.
    #[serde(default)]
    #[schema(max_length = 2048)]
    description: String,
    #[serde(default = "yes")]
    enabled: bool,
    /// One of the client's own: `whsec_` and the base64 of 24 to 64 bytes. Made here when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// What of a webhook may be changed.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookPatch)]
#[expect(
    dead_code,
    reason = "for the document: a patch is merged, then read as a whole"
)]
struct Changes {
    /// Where to send: public, and `https`.
    #[schema(format = "uri", max_length = 2048, nullable = false)]
    url: Option<String>,
    /// What is told; everything when empty.
    #[schema(nullable = false)]
    event_types: Option<Vec<EventType>>,
    /// For people.
    #[schema(max_length = 2048, nullable = false)]
    description: Option<String>,
    /// True also takes `disabled_reason` away.
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

/// How a secret is rotated.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SecretRotation)]
pub struct Rotation {
    /// One of the client's own; made here when it is left out.
    secret: Option<String>,
    /// Seconds that the secret before signs as well; a day by default.
    #[schema(maximum = 2_592_000)]
    overlap_seconds: Option<u64>,
}

fn yes() -> bool {
    true
}

/// Make a webhook.
///
/// It is told when a job ends, by Standard Webhooks 1.0.0. Its secret is in this answer and never again.
#[utoipa::path(
    post, path = "", operation_id = "createWebhook", tag = "Webhooks", request_body = Wanted,
    responses((status = 201, description = "The webhook, with its secret.", body = WebhookView,
        headers(("Location" = String, description = "The webhook's URL.")))),
    extensions(("x-problems" = json!(["conflict"]))),
)]
pub async fn create(
    State(db): State<Db>,
    State(config): State<Arc<ApiConfig>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let wanted: Wanted = body::json(body)?;
    check(&config, &wanted)?;
    if db.webhooks_of(&caller.tenant).await?.len() >= MAX_WEBHOOKS {
        return Err(Problem::conflict(format!(
            "there are {MAX_WEBHOOKS} webhooks already"
        )));
    }
    let now = DateTime::now();
    let webhook = Webhook {
        id: Uuid::now_v7(),
        rev: 1,
        tenant: caller.tenant,
        url: wanted.url,
        event_types: wanted.event_types,
        description: wanted.description,
        enabled: wanted.enabled,
        disabled_reason: None,
        secrets: vec![secret_of(wanted.secret)?],
        created_at: now,
        updated_at: now,
    };
    db.insert_webhook(&webhook).await?;
    let location = format!("/api/v1/webhooks/{}", webhook.id);
    Ok((
        StatusCode::CREATED,
        [
            (header::LOCATION, location),
            (header::CACHE_CONTROL, "no-store".to_owned()),
        ],
        Json(view::with_secret(webhook)),
    )
        .into_response())
}

/// List webhooks.
///
/// All of them: they are few.
#[utoipa::path(
    get, path = "", operation_id = "listWebhooks", tag = "Webhooks",
    responses((status = 200, description = "The webhooks, oldest first.", body = WebhookList)),
)]
pub async fn list(State(db): State<Db>, caller: Caller) -> Result<Json<WebhookList>, Problem> {
    let webhooks = db.webhooks_of(&caller.tenant).await?;
    let data = webhooks.into_iter().map(view::webhook).collect();
    Ok(Json(WebhookList { data }))
}

/// Get a webhook.
///
/// Without its secret.
#[utoipa::path(
    get, path = "", operation_id = "getWebhook", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "The webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d")),
    responses((status = 200, description = "The webhook.", body = WebhookView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn get(Owned(webhook): Owned<Webhook>) -> Result<Json<WebhookView>, Problem> {
    Ok(Json(view::webhook(webhook)))
}

/// Change a webhook.
///
/// JSON Merge Patch (RFC 7396). Enabling it again forgets why it was disabled.
#[utoipa::path(
    patch, path = "", operation_id = "patchWebhook", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "The webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d")),
    request_body(content = Changes, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The webhook as it is now.", body = WebhookView)),
    extensions(("x-problems" = json!(["not_found", "unsupported_content_type"]))),
)]
pub async fn change(
    State(db): State<Db>,
    State(config): State<Arc<ApiConfig>>,
    Owned(before): Owned<Webhook>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let patch = match merge_patch::read(&headers, body)? {
        Ok(patch) => patch,
        Err(refused) => return Ok(refused),
    };
    let now = Wanted {
        url: before.url.clone(),
        event_types: before.event_types.clone(),
        description: before.description.clone(),
        enabled: before.enabled,
        secret: None,
    };
    let mut value = serde_json::to_value(now).map_err(Problem::internal)?;
    merge(&mut value, Value::Object(patch));
    let wanted: Wanted =
        serde_json::from_value(value).map_err(|error| Problem::invalid(error.to_string()))?;
    check(&config, &wanted)?;
    if wanted.secret.is_some() {
        return Err(Problem::invalid("a secret is changed by /rotate"));
    }
    let change = |webhook: &mut Webhook| {
        webhook.url.clone_from(&wanted.url);
        webhook.event_types.clone_from(&wanted.event_types);
        webhook.description.clone_from(&wanted.description);
        webhook.enabled = wanted.enabled;
        webhook.disabled_reason = webhook.disabled_reason.filter(|_| !wanted.enabled);
    };
    let webhook = db
        .update_webhook(&before.tenant, before.id, change)
        .await
        .map_err(none)?;
    Ok(Json(view::webhook(webhook)).into_response())
}

/// Delete a webhook.
///
/// With its deliveries, also those that were to be sent.
#[utoipa::path(
    delete, path = "", operation_id = "deleteWebhook", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "The webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d")),
    responses((status = 204, description = "It is gone.")),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn delete(State(db): State<Db>, Owned(webhook): Owned<Webhook>) -> Result<StatusCode, Problem> {
    match db.remove_webhook(&webhook.tenant, webhook.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::none(WEBHOOK)),
    }
}

/// Give a webhook a new secret.
///
/// The one before signs as well for `overlap_seconds`. The new one is in this answer and never again.
#[utoipa::path(
    post, path = "", operation_id = "rotateWebhookSecret", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "The webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d")),
    request_body(content = Option<Rotation>, example = json!({ "overlap_seconds": 3600 })),
    responses((status = 200, description = "The webhook, with its new secret.", body = WebhookView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn rotate(
    State(db): State<Db>,
    Owned(webhook): Owned<Webhook>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let rotation = match &body {
        Ok(nothing) if nothing.is_empty() => None,
        _ => body::json(body)?,
    };
    let rotation: Rotation = rotation.unwrap_or_default();
    let overlap = rotation.overlap_seconds.unwrap_or(OVERLAP);
    if overlap > MAX_OVERLAP {
        return Err(Problem::invalid(format!(
            "overlap_seconds must be 0 to {MAX_OVERLAP}"
        )));
    }
    let secret = secret_of(rotation.secret)?;
    let change = |webhook: &mut Webhook| {
        webhook.rotate(secret.clone(), Duration::from_secs(overlap), DateTime::now());
    };
    let updated = db.update_webhook(&webhook.tenant, webhook.id, change).await;
    let webhook = view::with_secret(updated.map_err(none)?);
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(webhook)).into_response())
}

fn check(config: &ApiConfig, wanted: &Wanted) -> Result<(), Problem> {
    for (name, text) in [("url", &wanted.url), ("description", &wanted.description)] {
        if text.chars().count() > MAX_TEXT {
            return Err(Problem::invalid(format!(
                "{name} is longer than {MAX_TEXT} characters"
            )));
        }
    }
    let url = Url::parse(&wanted.url).map_err(|error| Problem::invalid(format!("url: {error}")))?;
    outbound::check(&url, &config.outbound_allow).map_err(|error| Problem::invalid(format!("url: {error}")))
}

fn secret_of(text: Option<String>) -> Result<Secret, Problem> {
    match text {
        None => Secret::random().map_err(Problem::internal),
        Some(text) => Secret::parse(&text)
            .ok_or_else(|| Problem::invalid("secret must be whsec_ and the base64 of 24 to 64 bytes")),
    }
}

const WEBHOOK: &str = "webhook";

impl Find for Webhook {
    async fn find(state: &AppState, caller: &Caller, id: &str) -> Result<Self, Problem> {
        let id = id.parse().map_err(|_| Problem::none(WEBHOOK))?;
        let found = state.pipeline.db.webhook(&caller.tenant, id).await;
        found.map_err(none)
    }
}

fn none(error: DbError) -> Problem {
    error_or_none(error, WEBHOOK)
}
