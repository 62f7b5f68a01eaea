//! Creates the webhook deliveries of a job's end.
//!
//! The job document is the outbox: the end of a job is stored together with an announcement. The deliveries are stored
//! next, then the announcement is cleared. When a process dies in between, the sweeper repeats these steps, and a
//! unique index ensures one delivery for each webhook.

use crate::Shared;
use anyhow::Result;
use serde_json::json;
use uuid::Uuid;
use vidp_common::crash;
use vidp_record::{
    job::Job,
    time::DateTime,
    view,
    webhook::{Delivery, DeliveryState, EventType},
};

/// Stores the deliveries of a job's end and clears the announcement.
pub async fn announce(pipeline: &Shared, job: &Job) -> Result<()> {
    let Some(announcement) = &job.announcement else {
        return Ok(());
    };
    crash::step("announce.begun");
    if let Some(event) = EventType::of(announcement.status) {
        let body = json!({
            "type": event,
            "timestamp": announcement.at.try_to_rfc3339_string()?,
            "data": view::job(job),
        });
        let message = |webhook_id: Uuid| Delivery {
            id: Uuid::now_v7(),
            tenant: job.tenant.clone(),
            webhook_id,
            message_id: format!("msg_{}", announcement.id.simple()),
            event_type: event,
            job_id: job.id,
            body: body.to_string(),
            state: DeliveryState::Pending,
            next_at: Some(DateTime::now()),
            attempt: 0,
            attempts: Vec::new(),
            created_at: DateTime::now(),
            expires_at: None,
        };
        let webhooks = pipeline.db.webhooks_for(&job.tenant, event).await?;
        let deliveries = webhooks.iter().map(|webhook| message(webhook.id)).collect();
        pipeline.db.insert_deliveries(deliveries).await?;
        pipeline.deliveries_due.notify_one();
    }
    crash::step("announce.stored");
    pipeline.db.announced(job.id, announcement.id).await?;
    Ok(())
}
