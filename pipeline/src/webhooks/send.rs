//! Sends what is due. Every replica does; a compare-and-set on the delivery decides which one. A message is sent at
//! least once: whoever dies with one on its way leaves it to another.

use super::attempt::{TIME_LIMIT, attempt};
use crate::{Shared, outbound};
use reqwest::Client;
use std::{collections::HashMap, time::Duration};
use tokio::task::JoinSet;
use uuid::Uuid;
use vidp_common::LogOnce;
use vidp_record::{db::DbError, time::after};

/// Messages on their way from this process, and to one webhook: a slow receiver does not hold up the others.
const MAX_SENDING: usize = 32;
const MAX_SENDING_TO_ONE: usize = 4;
/// Longer than a try: then somebody else may think that this process has died.
const CLAIM: Duration = Duration::from_secs(20);
/// Deliveries are looked for this often, should nobody have said that there are some.
const PAUSE: Duration = Duration::from_secs(1);
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
