//! Sends what is due. Every replica does; a compare-and-set on the delivery decides which one. A message is sent at
//! least once: whoever dies with one on its way leaves it to another.

use crate::{Shared, metrics, outbound};
use reqwest::{Client, StatusCode, Url};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use uuid::Uuid;
use vidp_common::LogOnce;
use vidp_record::{
    db::{DbError, Next},
    time::{DateTime, after},
    webhook::{Attempt, Delivery, DeliveryState, DisabledReason, Webhook, pause},
};

/// Messages on their way from this process, and to one webhook: a slow receiver does not hold up the others.
const MAX_SENDING: usize = 32;
const MAX_SENDING_TO_ONE: usize = 4;
/// A receiver must have answered by then; the specification asks for 15 to 30 s.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// Longer than a try: then somebody else may think that this process has died.
const CLAIM: Duration = Duration::from_secs(20);
/// Deliveries are looked for this often, should nobody have said that there are some.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the log is kept.
const LOG: Duration = Duration::from_secs(30 * 24 * 3600);

/// Sends until the shutdown, then waits for what is on its way.
pub async fn run(pipeline: Shared) {
    let client = outbound::client(&pipeline.settings.outbound_allow)
        .timeout(TIME_LIMIT)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            tracing::error!("no webhook can be sent: {error}");
            return;
        }
    };
    let (mut sending, mut outage) = (Sending::default(), LogOnce::default());
    while !pipeline.shutdown.is_cancelled() {
        match sending.start(&pipeline, &client).await {
            Ok(()) => drop(outage.recovered()),
            Err(error) if outage.first_failure() => tracing::warn!("webhooks wait: {error}"),
            Err(_) => {}
        }
        tokio::select! {
            // Others may wait for this place.
            Some(ended) = sending.tasks.join_next() => sending.ended(ended.ok()),
            () = pipeline.deliveries_due.notified() => {}
            () = tokio::time::sleep(PAUSE) => {}
            () = pipeline.shutdown.cancelled() => {}
        }
    }
    sending.tasks.join_all().await;
}

/// What is on its way.
#[derive(Default)]
struct Sending {
    tasks: JoinSet<Uuid>,
    to: HashMap<Uuid, usize>,
}

impl Sending {
    async fn start(&mut self, pipeline: &Shared, client: &Client) -> Result<(), DbError> {
        let room = MAX_SENDING.saturating_sub(self.tasks.len());
        if room == 0 {
            return Ok(());
        }
        let busy = self.to.iter().filter(|(_, count)| **count >= MAX_SENDING_TO_ONE);
        let busy = busy.map(|(id, _)| id.to_string()).collect();
        let limit = i64::try_from(room).unwrap_or(1);
        for delivery in pipeline.db.deliveries_due(busy, limit).await? {
            let count = self.to.entry(delivery.webhook_id).or_default();
            if *count >= MAX_SENDING_TO_ONE {
                continue;
            }
            if let Some(delivery) = pipeline.db.claim_delivery(&delivery, after(CLAIM)).await? {
                *count += 1;
                let (pipeline, client) = (pipeline.clone(), client.clone());
                self.tasks.spawn(async move {
                    if let Err(error) = attempt(&pipeline, &client, &delivery).await {
                        tracing::warn!(delivery = %delivery.id, "a try was not recorded, and will be repeated: {error}");
                    }
                    delivery.webhook_id
                });
            }
        }
        self.to.retain(|_, count| *count > 0);
        Ok(())
    }

    fn ended(&mut self, webhook: Option<Uuid>) {
        match webhook {
            Some(webhook) => {
                self.to.entry(webhook).and_modify(|count| *count -= 1);
            }
            // It panicked, and nobody knows for whom it was: rather too many than none for ever.
            None => self.to.clear(),
        }
    }
}

/// One try, and what follows from it.
async fn attempt(pipeline: &Shared, client: &Client, delivery: &Delivery) -> Result<(), DbError> {
    let webhook = match pipeline.db.webhook(&delivery.tenant, delivery.webhook_id).await {
        Ok(webhook) => webhook,
        // Deleted while this delivery was being stored.
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
    let status = answer.as_ref().ok().copied();
    let tried = Attempt {
        at,
        status: status.map(|status| i32::from(status.as_u16())),
        error: answer.err(),
        milliseconds: i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
    };
    let schedule = &pipeline.settings.webhook_retry_seconds;
    let retry = pause(schedule, delivery.attempt, fastrand::f64()).filter(|_| webhook.enabled);
    let (next, outcome) = match status {
        Some(status) if status.is_success() => (
            Next::End(DeliveryState::Delivered, after(LOG)),
            metrics::Webhook::Delivered,
        ),
        Some(StatusCode::GONE) => {
            disable(pipeline, &webhook, DisabledReason::Gone).await?;
            (
                Next::End(DeliveryState::Failed, after(LOG)),
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
                    Next::End(DeliveryState::Failed, after(LOG)),
                    metrics::Webhook::Failed,
                )
            }
        },
    };
    pipeline.db.delivery_tried(delivery, &tried, next).await?;
    metrics::webhook_tried(outcome);
    Ok(())
}

/// Gives the answer's status, or a sentence for the webhook's owner.
async fn send(
    pipeline: &Shared,
    client: &Client,
    webhook: &Webhook,
    delivery: &Delivery,
) -> Result<StatusCode, String> {
    let url = Url::parse(&webhook.url).map_err(|error| error.to_string())?;
    // The settings may have changed since it was registered.
    outbound::check(&url, &pipeline.settings.outbound_allow).map_err(|error| error.to_string())?;
    let timestamp = DateTime::now().timestamp_millis() / 1000;
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", &delivery.message_id)
        .header("webhook-timestamp", timestamp)
        .header(
            "webhook-signature",
            webhook.signatures(&delivery.message_id, timestamp, &delivery.body),
        )
        .body(delivery.body.clone());
    match request.send().await {
        // The body is not read: nothing in it counts.
        Ok(answer) => Ok(answer.status()),
        Err(error) => Err(match outbound::refusal(&error) {
            Some(refused) => refused.to_string(),
            None if error.is_timeout() => format!("no answer within {} s", TIME_LIMIT.as_secs()),
            None if error.is_connect() => "no connection".to_owned(),
            None => "the connection broke off".to_owned(),
        }),
    }
}

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
