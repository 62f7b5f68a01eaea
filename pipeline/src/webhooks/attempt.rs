//! One try of a delivery.

use crate::{Shared, metrics, outbound};
use reqwest::{Client, StatusCode, Url};
use std::time::{Duration, Instant, SystemTime};
use vidp_record::{
    db::{DbError, Next},
    time::{DateTime, after},
    webhook::{Attempt, Delivery, DeliveryState, DisabledReason, Webhook, pause},
};

/// Time limit of an answer; the specification recommends 15 to 30 s.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(15);

/// Retention of ended deliveries.
const LOG_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Makes one try and records its outcome.
pub(super) async fn attempt(pipeline: &Shared, client: &Client, delivery: &Delivery) -> Result<(), DbError> {
    let webhook = match pipeline.db.webhook(&delivery.tenant, delivery.webhook_id).await {
        Ok(webhook) => webhook,
        // The webhook was deleted while this delivery was being stored.
        Err(DbError::NotFound) => {
            let removed = pipeline.db.remove_webhook(&delivery.tenant, delivery.webhook_id);
            return removed.await.map(drop);
        }
        Err(error) => return Err(error),
    };
    let at = DateTime::now();
    let started = Instant::now();
    let answer = match webhook.enabled {
        true => send(pipeline, client, &webhook, delivery).await,
        false => Err("the webhook is disabled".to_owned()),
    };
    let status = answer.as_ref().ok().map(|answer| answer.status);
    let asked = answer
        .as_ref()
        .map_or(Duration::ZERO, |answer| answer.retry_after);
    let tried = Attempt {
        at,
        status: status.map(|status| i32::from(status.as_u16())),
        error: answer.err(),
        milliseconds: i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
    };
    let schedule = &pipeline.settings.webhook_retry_seconds;
    let retry = pause(schedule, delivery.attempt, asked, fastrand::f64()).filter(|_| webhook.enabled);
    let (next, outcome) = match status {
        Some(status) if status.is_success() => (
            Next::End(DeliveryState::Delivered, after(LOG_RETENTION)),
            metrics::Webhook::Delivered,
        ),
        Some(StatusCode::GONE) => {
            disable(pipeline, &webhook, DisabledReason::Gone).await?;
            (
                Next::End(DeliveryState::Failed, after(LOG_RETENTION)),
                metrics::Webhook::Failed,
            )
        }
        _ => match retry {
            Some(pause) => (Next::Retry(after(pause)), metrics::Webhook::Retried),
            None => {
                if webhook.enabled
                    && !pipeline
                        .db
                        .has_delivered_since(webhook.id, delivery.created_at)
                        .await?
                {
                    disable(pipeline, &webhook, DisabledReason::Failing).await?;
                }
                (
                    Next::End(DeliveryState::Failed, after(LOG_RETENTION)),
                    metrics::Webhook::Failed,
                )
            }
        },
    };
    pipeline.db.delivery_tried(delivery, &tried, next).await?;
    metrics::webhook_tried(outcome);
    Ok(())
}

/// What matters of a receiver's answer.
struct Answer {
    status: StatusCode,
    /// Pause that the receiver asks for before the next try.
    retry_after: Duration,
}

/// Sends the request. Returns the answer, or an explanation for the webhook's owner.
async fn send(
    pipeline: &Shared,
    client: &Client,
    webhook: &Webhook,
    delivery: &Delivery,
) -> Result<Answer, String> {
    let body = delivery.body.as_ref().ok_or("the message is no longer stored")?;
    let url = Url::parse(&webhook.url).map_err(|error| error.to_string())?;
    // Checked again, because the settings may have changed since the registration.
    outbound::check(&url, &pipeline.settings.outbound).map_err(|error| error.to_string())?;
    let timestamp = DateTime::now().timestamp_millis() / 1000;
    let signatures = webhook.signatures(&delivery.message_id, timestamp, body);
    if signatures.is_empty() {
        return Err("no secret of the webhook can be read: rotate it".to_owned());
    }
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", &delivery.message_id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signatures)
        .body(body.clone());
    match request.send().await {
        // The body is not read, because only the head matters.
        Ok(answer) => Ok(Answer {
            status: answer.status(),
            retry_after: outbound::retry_after(answer.headers(), SystemTime::now()),
        }),
        Err(error) => Err(match outbound::refusal(&error) {
            Some(refused) => refused.to_string(),
            None if error.is_timeout() => format!("no answer within {} s", TIME_LIMIT.as_secs()),
            None if error.is_connect() => "no connection".to_owned(),
            None => "the connection was interrupted".to_owned(),
        }),
    }
}

/// Disables a webhook.
async fn disable(pipeline: &Shared, webhook: &Webhook, reason: DisabledReason) -> Result<(), DbError> {
    tracing::info!(webhook = %webhook.id, ?reason, "a webhook was disabled");
    let change = |webhook: &mut Webhook| {
        webhook.enabled = false;
        webhook.disabled_reason = Some(reason);
    };
    match pipeline
        .db
        .update_webhook(&webhook.tenant, webhook.id, change)
        .await
    {
        Ok(_) | Err(DbError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}
