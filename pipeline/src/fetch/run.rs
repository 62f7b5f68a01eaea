//! The loop that claims sources and fetches them.

use super::{
    claimed::{LEASE, fetch},
    web::client,
};
use crate::{Shared, quiet};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::future::FutureExt;
use vidp_record::time::DateTime;

/// A pause when nothing is to be fetched.
const IDLE: Duration = Duration::from_secs(1);

/// Claims looked at in one go.
const CLAIMS: i64 = 16;

/// Fetches until the shutdown, some at a time.
pub async fn run(pipeline: Shared) {
    let web = match client(&pipeline.settings.outbound_allow) {
        Ok(web) => web,
        Err(error) => {
            tracing::error!("no source can be fetched: {error}");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(pipeline.settings.fetches));
    loop {
        let found = tokio::select! {
            found = pipeline.db.fetches_due(DateTime::now(), CLAIMS) => found.unwrap_or_default(),
            () = pipeline.shutdown.cancelled() => return,
        };
        if found.is_empty() {
            // A new job wakes this one up; those of other replicas and failed ones are found by looking.
            let _ = timeout(IDLE, pipeline.fetches_due.notified())
                .with_cancellation_token(&pipeline.shutdown)
                .await;
        }
        for job in found {
            let slot = tokio::select! {
                slot = slots.clone().acquire_owned() => slot.expect("never closed"),
                () = pipeline.shutdown.cancelled() => return,
            };
            // Nothing to do when another replica has the claim, or the record cannot be reached.
            if let Ok(Some(job)) = quiet::claim_fetch(&pipeline, job.id, LEASE).await {
                let (pipeline, web) = (pipeline.clone(), web.clone());
                pipeline.tasks.clone().spawn(async move {
                    fetch(&pipeline, &web, job).await;
                    drop(slot);
                });
            }
        }
    }
}
