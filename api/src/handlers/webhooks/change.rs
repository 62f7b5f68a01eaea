//! `PATCH /webhooks/{id}`: changes a webhook by a JSON Merge Patch (RFC 7396).

use super::{
    find::problem,
    requested::{Requested, check},
    view::{self, WebhookView},
};
use crate::{
    config::ApiConfig,
    http::{extract::Owned, merge_patch, problem::Problem},
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;
use vidp_contract::merge_patch as merge;
use vidp_record::{
    db::Db,
    webhook::{EventType, Webhook},
};

/// A JSON Merge Patch of a webhook.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookPatch)]
#[expect(
    dead_code,
    reason = "only for the OpenAPI document: a patch is merged, and the result is read"
)]
struct WebhookPatch {
    /// URL that receives the messages: `https` with a public address.
    #[schema(format = "uri", max_length = 2048, nullable = false)]
    url: Option<String>,
    /// Types of events to send. An empty list selects all types.
    #[schema(nullable = false)]
    event_types: Option<Vec<EventType>>,
    /// Description for people.
    #[schema(max_length = 2048, nullable = false)]
    description: Option<String>,
    /// True enables the webhook and clears `disabled_reason`.
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

/// Change a webhook.
///
/// The body is a JSON Merge Patch (RFC 7396). Enabling the webhook clears `disabled_reason`.
#[utoipa::path(
    patch, path = "", operation_id = "patchWebhook", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "Id of the webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d")),
    request_body(content = WebhookPatch, content_type = "application/merge-patch+json"),
    responses((status = 200, description = "The changed webhook.", body = WebhookView)),
    extensions(("x-problems" = json!(["not_found", "unsupported_content_type"]))),
)]
pub(crate) async fn change(
    State(db): State<Db>,
    State(config): State<Arc<ApiConfig>>,
    Owned(before): Owned<Webhook>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let patch = match merge_patch::read(&headers, body)? {
        Ok(patch) => patch,
        Err(refusal) => return Ok(refusal),
    };
    let present = Requested {
        url: before.url.clone(),
        event_types: before.event_types.clone(),
        description: before.description.clone(),
        enabled: before.enabled,
        secret: None,
    };
    let mut value = serde_json::to_value(present).map_err(Problem::internal)?;
    merge(&mut value, Value::Object(patch));
    let requested: Requested =
        serde_json::from_value(value).map_err(|error| Problem::invalid(error.to_string()))?;
    check(&config, &requested)?;
    if requested.secret.is_some() {
        return Err(Problem::invalid(
            "secret cannot be patched: use POST /webhooks/{id}/rotate",
        ));
    }
    let change = |webhook: &mut Webhook| {
        webhook.url.clone_from(&requested.url);
        webhook.event_types.clone_from(&requested.event_types);
        webhook.description.clone_from(&requested.description);
        webhook.enabled = requested.enabled;
        webhook.disabled_reason = webhook.disabled_reason.filter(|_| !requested.enabled);
    };
    let updated = db.update_webhook(&before.tenant, before.id, change).await;
    Ok(Json(view::webhook(updated.map_err(problem)?)).into_response())
}
