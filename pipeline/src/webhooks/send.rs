//! Sends due deliveries, at least once each.
//!
//! Every replica runs this loop; a compare-and-set on the delivery decides which one sends it. When a replica dies
//! during a try, another one repeats it.

use super::attempt::{TIME_LIMIT, attempt};
use crate::{Shared, outbound};
use reqwest::Client;
use std::{collections::HashMap, time::Duration};
use tokio::task::JoinSet;
use uuid::Uuid;
use vidp_common::LogOnce;
use vidp_record::{db::DbError, time::after};

/// Maximum number of deliveries that this process sends at the same time.
const MAX_SENDING: usize = 32;
/// The same for one webhook, so that a slow receiver does not delay the others.
const MAX_SENDING_TO_ONE: usize = 4;
/// Duration of a claim, longer than a try. After that time another replica may repeat the try.
const CLAIM: Duration = Duration::from_secs(20);
/// Interval of polling for due deliveries, besides notifications of this process.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Sends due deliveries until the shutdown, then waits for the running tries.
pub async fn run(pipeline: Shared) {
    let client = outbound::client(&pipeline.settings.outbound_allow)
        .timeout(TIME_LIMIT)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            tracing::error!("webhooks cannot be sent: {error}");
            return;
        }
    };
    let (mut sending, mut outage) = (Sending::default(), LogOnce::default());
    while !pipeline.shutdown.is_cancelled() {
        match sending.start(&pipeline, &client).await {
            Ok(()) => drop(outage.recovered()),
            Err(error) if outage.first_failure() => {
                tracing::warn!("due webhook deliveries cannot be read; retrying: {error}")
            }
            Err(_) => {}
        }
        tokio::select! {
            // A completed try frees a slot for others.
            Some(ended) = sending.tasks.join_next() => sending.ended(ended.ok()),
            () = pipeline.deliveries_due.notified() => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = pipeline.shutdown.cancelled() => {}
        }
    }
    sending.tasks.join_all().await;
}

/// The running tries.
#[derive(Default)]
struct Sending {
    tasks: JoinSet<Uuid>,
    /// Number of running tries by webhook.
    by_webhook: HashMap<Uuid, usize>,
}

impl Sending {
    async fn start(&mut self, pipeline: &Shared, client: &Client) -> Result<(), DbError> {
        let room = MAX_SENDING.saturating_sub(self.tasks.len());
        if room == 0 {
            return Ok(());
        }
        let busy = self
            .by_webhook
            .iter()
            .filter(|(_, count)| **count >= MAX_SENDING_TO_ONE);
        let busy = busy.map(|(id, _)| id.to_string()).collect();
        let limit = i64::try_from(room).unwrap_or(1);
        for delivery in pipeline.db.deliveries_due(busy, limit).await? {
            let count = self.by_webhook.entry(delivery.webhook_id).or_default();
            if *count >= MAX_SENDING_TO_ONE {
                continue;
            }
            if let Some(delivery) = pipeline.db.claim_delivery(&delivery, after(CLAIM)).await? {
                *count += 1;
                let (pipeline, client) = (pipeline.clone(), client.clone());
                self.tasks.spawn(async move {
                    if let Err(error) = attempt(&pipeline, &client, &delivery).await {
                        tracing::warn!(delivery = %delivery.id, "a webhook try could not be recorded; it is repeated: {error}");
                    }
                    delivery.webhook_id
                });
            }
        }
        self.by_webhook.retain(|_, count| *count > 0);
        Ok(())
    }

    fn ended(&mut self, webhook: Option<Uuid>) {
        match webhook {
            Some(webhook) => {
                self.by_webhook.entry(webhook).and_modify(|count| *count -= 1);
            }
            // The task panicked and its webhook is unknown. Too many parallel tries are better than a blocked webhook.
            None => self.by_webhook.clear(),
        }
    }
}
