//! From a job's end to the messages that tell of it.
//!
//! The job document is the outbox: its end is stored with an announcement, in the same step. The deliveries are stored
//! next, and then the announcement is taken away. Whoever dies in between leaves it to the sweeper, and an index sees to
//! it that no webhook is told twice of one end.

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

/// Stores the messages of a job's end.
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
