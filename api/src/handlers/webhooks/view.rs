//! Webhooks and deliveries as clients see them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_record::{
    view::time,
    webhook::{Attempt, Delivery, DeliveryState, DisabledReason, EventType, Webhook},
};

/// A receiver of messages about ended jobs.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookView {
    /// UUIDv7.
    id: Uuid,
    /// URL that receives the messages.
    url: String,
    /// Types of events to send; empty for all types.
    event_types: Vec<EventType>,
    /// Description for people.
    description: String,
    /// True when messages are sent.
    enabled: bool,
    /// Why VidP disabled the webhook; null when it is enabled, or when a client disabled it.
    disabled_reason: Option<DisabledReason>,
    /// When the webhook was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    /// When the webhook was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Option<String>,
    /// `whsec_` and base64. Only the answer that creates the secret contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^whsec_")]
    secret: Option<String>,
}

/// All webhooks of a tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookList {
    /// The webhooks, oldest first.
    pub(super) data: Vec<WebhookView>,
}

/// One message to one webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryView {
    /// UUIDv7.
    id: Uuid,
    /// The header `webhook-id`, which is the same in every attempt.
    message_id: String,
    /// The event that the message reports.
    event_type: EventType,
    /// The job that ended.
    job_id: Uuid,
    /// State of the delivery.
    state: DeliveryState,
    /// When the next attempt is due; null when the delivery has ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<String>,
    /// The latest 50 attempts, oldest first.
    attempts: Vec<AttemptView>,
    /// When the message was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    /// Body of the message; null when it is no longer stored.
    #[schema(value_type = Option<Object>)]
    payload: Value,
}

/// One attempt to deliver a message.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
struct AttemptView {
    /// When the attempt started.
    #[schema(value_type = String, format = DateTime)]
    at: Option<String>,
    /// HTTP status of the answer; null without an answer.
    status: Option<i32>,
    /// Why no answer arrived; null when one did.
    error: Option<String>,
    /// Duration of the attempt in milliseconds.
    milliseconds: i64,
}

/// A page of a webhook's deliveries, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryList {
    /// The deliveries of the page.
    pub(super) data: Vec<DeliveryView>,
    /// The `cursor` of the next page; null on the last page.
    pub(super) next_cursor: Option<String>,
}

/// A webhook, without its secret.
pub(crate) fn webhook(webhook: Webhook) -> WebhookView {
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

/// A webhook with its newest secret.
pub(crate) fn with_secret(mut webhook: Webhook) -> WebhookView {
    let secret = webhook.secrets.drain(..).next().map(|secret| secret.key);
    WebhookView {
        secret,
        ..self::webhook(webhook)
    }
}

/// A delivery with its attempts.
pub(crate) fn delivery(delivery: Delivery) -> DeliveryView {
    DeliveryView {
        id: delivery.id,
        payload: serde_json::from_str(delivery.body.as_deref().unwrap_or_default()).unwrap_or_default(),
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
