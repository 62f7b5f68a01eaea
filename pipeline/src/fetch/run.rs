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

/// Pause while no source is due.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// Maximum number of due jobs read at a time.
const DUE_LIMIT: i64 = 16;

/// Fetches due sources until the shutdown, several at a time.
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
            found = pipeline.db.fetches_due(DateTime::now(), DUE_LIMIT) => found.unwrap_or_default(),
            () = pipeline.shutdown.cancelled() => return,
        };
        if found.is_empty() {
            // A new job of this process ends the pause; jobs of other replicas and retries are found by polling.
            let _ = timeout(IDLE_PAUSE, pipeline.fetches_due.notified())
                .with_cancellation_token(&pipeline.shutdown)
                .await;
        }
        for job in found {
            let slot = tokio::select! {
                slot = slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
                () = pipeline.shutdown.cancelled() => return,
            };
            // Skipped when another replica has the claim, or MongoDB cannot be reached.
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
