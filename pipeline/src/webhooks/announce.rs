//! Creates the webhook deliveries of a job's end, and of the beginning of its stream.
//!
//! The job document is the outbox: the change is stored together with an announcement. The message and its
//! deliveries are stored next, then the announcement is cleared. When a process dies in between, the sweeper repeats these steps, and a
//! unique index ensures one delivery for each webhook.

use crate::Shared;
use anyhow::Result;
use serde_json::json;
use uuid::Uuid;
use vidp_common::crash;
use vidp_record::{
    job::{Announcement, Job},
    time::{DateTime, later},
    view,
    webhook::{Delivery, DeliveryState, EventType, Message, Webhook},
};

/// Stores the deliveries of a job's announcement and clears it.
pub async fn announce(pipeline: &Shared, job: &Job) -> Result<()> {
    let Some(announcement) = &job.announcement else {
        return Ok(());
    };
    crash::step("announce.begun");
    if let Some(event) = EventType::of(announcement.status) {
        let webhooks = pipeline.db.webhooks_for(&job.tenant, event).await?;
        if !webhooks.is_empty() {
            store(pipeline, job, announcement, event, &webhooks).await?;
            pipeline.deliveries_due.notify_one();
        }
    }
    crash::step("announce.stored");
    pipeline.db.announced(job.id, announcement.id).await?;
    Ok(())
}

/// Stores the message once, then a delivery for each webhook.
async fn store(
    pipeline: &Shared,
    job: &Job,
    announcement: &Announcement,
    event: EventType,
    webhooks: &[Webhook],
) -> Result<()> {
    let body = json!({
        "type": event,
        "timestamp": announcement.at.try_to_rfc3339_string()?,
        "data": view::job(job),
    });
    let now = DateTime::now();
    let message = Message {
        id: format!("msg_{}", announcement.id.simple()),
        tenant: job.tenant.clone(),
        body: body.to_string(),
        created_at: now,
        expires_at: later(now, Message::RETENTION),
    };
    let delivery = |webhook: &Webhook| Delivery {
        id: Uuid::now_v7(),
        tenant: job.tenant.clone(),
        webhook_id: webhook.id,
        message_id: message.id.clone(),
        event_type: event,
        job_id: job.id,
        body: None,
        state: DeliveryState::Pending,
        next_at: Some(now),
        attempt: 0,
        attempts: Vec::new(),
        created_at: now,
        expires_at: None,
    };
    let deliveries = webhooks.iter().map(delivery).collect();
    pipeline.db.insert_message(message).await?;
    pipeline.db.insert_deliveries(deliveries).await?;
    let max = pipeline.settings.webhook_messages_per_tenant;
    if max > 0 {
        let removed = pipeline.db.trim_messages(&job.tenant, max).await?;
        if removed > 0 {
            tracing::debug!(
                tenant = job.tenant,
                removed,
                "removed the oldest webhook messages of a tenant"
            );
        }
    }
    Ok(())
}
