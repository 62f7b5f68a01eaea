//! Sends due deliveries, at least once each.
//!
//! Every replica runs this loop; a compare-and-set on the delivery decides which one sends it. When a replica dies
//! during a try, another one repeats it.

use super::attempt::{TIME_LIMIT, attempt};
use crate::{Shared, outbound, places::Places};
use reqwest::Client;
use std::time::Duration;
use tokio::task::JoinSet;
use vidp_common::LogOnce;
use vidp_record::{
    db::{Busy, DbError},
    time::after,
};

/// Maximum number of deliveries that this process sends at the same time.
const MAX_SENDING: usize = 64;
/// The same for one tenant, so that its slow receivers do not delay the messages of others.
const MAX_SENDING_TO_TENANT: usize = 16;
/// The same for one webhook, so that a slow receiver does not delay the tenant's others.
const MAX_SENDING_TO_ONE: usize = 4;
/// Duration of a claim, longer than a try. After that time another replica may repeat the try.
const CLAIM: Duration = Duration::from_secs(20);
/// Interval of polling for due deliveries, besides notifications of this process.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Sends due deliveries until the shutdown, then waits for the running tries.
pub async fn run(pipeline: Shared) {
    let client = outbound::client(&pipeline.settings.outbound)
        .timeout(TIME_LIMIT)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            tracing::error!("webhooks cannot be sent: {error}");
            return;
        }
    };
    let (mut sending, mut outage) = (Sending::new(), LogOnce::default());
    while !pipeline.shutdown.is_cancelled() {
        match sending.start(&pipeline, &client).await {
            Ok(()) => drop(outage.recovered()),
            Err(error) if outage.first_failure() => {
                tracing::warn!("due webhook deliveries cannot be read; retrying: {error}")
            }
            Err(_) => {}
        }
        tokio::select! {
            // A completed try frees a place for others.
            Some(_) = sending.tasks.join_next() => {}
            () = pipeline.deliveries_due.notified() => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = pipeline.shutdown.cancelled() => {}
        }
    }
    sending.tasks.join_all().await;
}

/// The running tries.
struct Sending {
    tasks: JoinSet<()>,
    by_tenant: Places,
    by_webhook: Places,
    /// The tenant that had the latest turn.
    last: String,
}

impl Sending {
    fn new() -> Sending {
        Sending {
            tasks: JoinSet::new(),
            by_tenant: Places::new(MAX_SENDING, MAX_SENDING_TO_TENANT),
            by_webhook: Places::new(MAX_SENDING, MAX_SENDING_TO_ONE),
            last: String::new(),
        }
    }

    /// Starts due tries in the free places. The tenants take turns.
    async fn start(&mut self, pipeline: &Shared, client: &Client) -> Result<(), DbError> {
        while !self.by_tenant.is_full() && !pipeline.shutdown.is_cancelled() {
            let busy = Busy {
                tenants: self.by_tenant.at_share(),
                webhooks: self.by_webhook.at_share(),
            };
            let Some(due) = pipeline.db.next_delivery(&self.last, busy).await? else {
                return Ok(());
            };
            self.last.clone_from(&due.tenant);
            // Otherwise another replica has claimed it.
            if let Some(delivery) = pipeline.db.claim_delivery(&due, after(CLAIM)).await? {
                let places = [
                    self.by_tenant.take(&delivery.tenant),
                    self.by_webhook.take(&delivery.webhook_id.to_string()),
                ];
                let (pipeline, client) = (pipeline.clone(), client.clone());
                self.tasks.spawn(async move {
                    if let Err(error) = attempt(&pipeline, &client, &delivery).await {
                        tracing::warn!(delivery = %delivery.id, "a webhook try could not be recorded; it is repeated: {error}");
                    }
                    drop(places);
                });
            }
        }
        Ok(())
    }
}
