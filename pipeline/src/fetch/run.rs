//! The loop that claims sources and fetches them.

use super::{
    claimed::{LEASE, fetch},
    web::client,
};
use crate::{Shared, places::Places, quiet};
use reqwest::Client;
use std::time::Duration;
use tokio::task::JoinSet;
use vidp_record::{
    db::{DbError, Origin},
    time::DateTime,
};

/// Interval of polling for due sources, besides notifications of this process.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Fetches due sources until the shutdown, several at a time.
pub async fn run(pipeline: Shared) {
    let web = match client(&pipeline.settings.outbound) {
        Ok(web) => web,
        Err(error) => {
            tracing::error!("no source can be fetched: {error}");
            return;
        }
    };
    // A slow server of a client must not delay uploads, which are in the store already.
    let mut pools = [Origin::Store, Origin::Reference].map(|origin| Pool::new(&pipeline, origin));
    let mut running = JoinSet::new();
    while !pipeline.shutdown.is_cancelled() {
        for pool in &mut pools {
            // While MongoDB is down, the next poll tries again.
            let _ = pool.start(&pipeline, &web, &mut running).await;
        }
        tokio::select! {
            // A completed fetch frees a place for others.
            Some(_) = running.join_next() => {}
            // Jobs of other replicas and retries are found by polling.
            () = pipeline.fetches_due.notified() => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = pipeline.shutdown.cancelled() => {}
        }
    }
    running.join_all().await;
}

/// The due sources of one origin, with the places in which they are fetched.
struct Pool {
    origin: Origin,
    places: Places,
    /// The tenant that had the latest turn.
    last: String,
}

impl Pool {
    fn new(pipeline: &Shared, origin: Origin) -> Pool {
        let settings = &pipeline.settings;
        Pool {
            origin,
            places: Places::new(settings.fetches, settings.fetches_per_tenant),
            last: String::new(),
        }
    }

    /// Fills the free places. The tenants take turns.
    async fn start(
        &mut self,
        pipeline: &Shared,
        web: &Client,
        running: &mut JoinSet<()>,
    ) -> Result<(), DbError> {
        let mut refused = None;
        while !self.places.is_full() && !pipeline.shutdown.is_cancelled() {
            let busy = self.places.at_share();
            let next = pipeline
                .db
                .next_fetch(self.origin, &self.last, &busy, DateTime::now());
            let Some(job) = next.await? else {
                return Ok(());
            };
            self.last.clone_from(&job.tenant);
            // A job that stays due and cannot be claimed waits for the next poll.
            if refused == Some(job.id) {
                return Ok(());
            }
            let claimed = quiet::claim_fetch(pipeline, job.id, LEASE).await?;
            // Another replica may have claimed it.
            refused = claimed.is_none().then_some(job.id);
            if let Some(job) = claimed {
                let place = self.places.take(&job.tenant);
                let (pipeline, web) = (pipeline.clone(), web.clone());
                running.spawn(async move {
                    fetch(&pipeline, &web, job).await;
                    drop(place);
                });
            }
        }
        Ok(())
    }
}
