//! Webhooks and deliveries as clients see them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_record::{
    view::time,
    webhook::{Attempt, Delivery, DeliveryState, DisabledReason, EventType, Webhook},
};

/// Who wants to be told.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView {
    id: Uuid,
    url: String,
    /// What is told; everything when empty.
    event_types: Vec<EventType>,
    description: String,
    enabled: bool,
    /// Why it is not, when nobody asked for that.
    disabled_reason: Option<DisabledReason>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Option<String>,
    /// `whsec_` and base64; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^whsec_")]
    secret: Option<String>,
}

/// All webhooks of a tenant.
#[derive(Serialize, ToSchema)]
pub struct WebhookList {
    pub data: Vec<WebhookView>,
}

/// One message to one webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    id: Uuid,
    /// The header `webhook-id`.
    message_id: String,
    event_type: EventType,
    job_id: Uuid,
    state: DeliveryState,
    /// None when it has ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<String>,
    /// The latest 50, oldest first.
    attempts: Vec<AttemptView>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    /// What is sent.
    #[schema(value_type = Object)]
    payload: Value,
}

/// One try.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
struct AttemptView {
    #[schema(value_type = String, format = DateTime)]
    at: Option<String>,
    /// The answer's HTTP status.
    status: Option<i32>,
    /// Why there was no answer.
    error: Option<String>,
    /// How long it took.
    milliseconds: i64,
}

/// A page of a webhook's deliveries.
#[derive(Serialize, ToSchema)]
pub struct DeliveryList {
    pub data: Vec<DeliveryView>,
    /// For the next page; none on the last.
    pub next_cursor: Option<String>,
}

/// A webhook, without its secret.
pub fn webhook(webhook: Webhook) -> WebhookView {
    WebhookView {
        id: webhook.id,
        url: webhook.url,
        event_types: webhook.event_types,
        description: webhook.description,
        enabled: webhook.enabled,
        disabled_reason: webhook.disabled_reason,
        created_at: time(Some(webhook.created_at)),
        updated_at: time(Some(webhook.updated_at)),
        secret: None,
    }
}

/// A webhook with the secret that it just got.
pub fn with_secret(mut webhook: Webhook) -> WebhookView {
    let secret = webhook.secrets.drain(..).next().map(|secret| secret.key);
    WebhookView {
        secret,
        ..self::webhook(webhook)
    }
}

/// A delivery with its log.
pub fn delivery(delivery: Delivery) -> DeliveryView {
    DeliveryView {
        id: delivery.id,
        payload: serde_json::from_str(&delivery.body).unwrap_or_default(),
        message_id: delivery.message_id,
        event_type: delivery.event_type,
        job_id: delivery.job_id,
        state: delivery.state,
        next_attempt_at: time(delivery.next_at),
        attempts: delivery.attempts.into_iter().map(attempt).collect(),
        created_at: time(Some(delivery.created_at)),
    }
}

fn attempt(attempt: Attempt) -> AttemptView {
    AttemptView {
        at: time(Some(attempt.at)),
        status: attempt.status,
        error: attempt.error,
        milliseconds: attempt.milliseconds,
    }
}
