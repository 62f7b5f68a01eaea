//! `POST /webhooks`: registers a receiver.

use super::{
    requested::{Requested, check, secret},
    view::{self, WebhookView},
};
use crate::{
    auth::Caller,
    config::ApiConfig,
    http::{body, problem::Problem},
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use uuid::Uuid;
use vidp_record::{db::Db, time::DateTime, webhook::Webhook};

/// Most webhooks of a tenant.
const MAX_WEBHOOKS: usize = 20;

/// Create a webhook.
///
/// VidP sends a message to the webhook when a job ends, by Standard Webhooks 1.0.0. Only this answer contains the secret
/// that verifies the messages.
#[utoipa::path(
    post, path = "", operation_id = "createWebhook", tag = "Webhooks", request_body = Requested,
    responses((status = 201, description = "The new webhook with its secret.", body = WebhookView,
        headers(("Location" = String, description = "URL of the webhook.")))),
    extensions(("x-problems" = json!(["conflict", "unsupported_content_type"]))),
)]
pub(crate) async fn create(
    State(db): State<Db>,
    State(config): State<Arc<ApiConfig>>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let requested: Requested = body::json(&headers, body)?;
    check(&config, &requested)?;
    if db.webhooks_of(&caller.tenant).await?.len() >= MAX_WEBHOOKS {
        return Err(too_many());
    }
    let now = DateTime::now();
    let webhook = Webhook {
        id: Uuid::now_v7(),
        rev: 1,
        tenant: caller.tenant,
        url: requested.url,
        event_types: requested.event_types,
        description: requested.description,
        enabled: requested.enabled,
        disabled_reason: None,
        secrets: vec![secret(requested.secret)?],
        created_at: now,
        updated_at: now,
    };
    db.insert_webhook(&webhook).await?;
    // Concurrent requests may all have passed the first check. Each counts again after it has stored its webhook, so that
    // the last one sees all.
    if db.webhooks_of(&webhook.tenant).await?.len() > MAX_WEBHOOKS {
        db.remove_webhook(&webhook.tenant, webhook.id).await?;
        return Err(too_many());
    }
    let headers = [
        (header::LOCATION, format!("/api/v1/webhooks/{}", webhook.id)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, Json(view::with_secret(webhook))).into_response())
}

fn too_many() -> Problem {
    Problem::conflict(format!(
        "the tenant already has {MAX_WEBHOOKS} webhooks, the maximum: delete one first"
    ))
}
