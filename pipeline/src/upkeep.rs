//! The bucket, the indexes, and the broker's streams and consumers: created at the start; all but the bucket again when they
//! vanish.
//!
//! An operator may delete them while the system runs, and a broker may come back with an empty store. Only the API may create
//! them, so every replica looks for them; to create one twice has no effect.

use crate::{
    Pipeline, Shared,
    metrics::{self, Repair},
};
use std::{fmt::Display, time::Duration};
use vidp_common::LogOnce;

/// Pause between two attempts to prepare a dependency.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Rounds of the sweeper between two looks at the indexes, which cost MongoDB a command for each collection.
const INDEX_ROUNDS: u32 = 12;

/// Prepares each dependency as soon as its server is up, and then looks for it regularly until the shutdown.
pub async fn run(pipeline: Shared) {
    // Only at the start. An empty bucket in place of one that is not there for a while would fail every open job.
    let bucket = until_done("the bucket", || pipeline.store.ensure_bucket());
    let indexes = async {
        until_done("the indexes", || pipeline.db.ensure_indexes()).await;
        while pause(&pipeline, INDEX_ROUNDS).await {
            until_done("the indexes", || pipeline.db.ensure_indexes()).await;
        }
    };
    let streams = async {
        // At the start also the settings of existing ones. Later, a change by an operator is reported and not undone.
        until_done("the streams", || pipeline.queue.ensure()).await;
        while pause(&pipeline, 1).await {
            for name in until_done("the streams", || pipeline.queue.restore()).await {
                metrics::repaired(Repair::Recreated);
                tracing::warn!(name, "had vanished from the broker and was created again");
            }
        }
    };
    let secrets = until_done("the secrets of webhooks", || pipeline.db.reseal_webhooks());
    tokio::join!(bucket, indexes, streams, secrets);
}

/// Waits for some rounds of the sweeper; false at the shutdown.
async fn pause(pipeline: &Pipeline, rounds: u32) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pipeline.settings.sweep_every * rounds) => true,
        () = pipeline.shutdown.cancelled() => false,
    }
}

/// Retries `work` until it succeeds. Logs the first failure and the recovery.
async fn until_done<T, E: Display, F: Future<Output = Result<T, E>>>(
    what: &str,
    mut work: impl FnMut() -> F,
) -> T {
    let mut outage = LogOnce::default();
    loop {
        match work().await {
            Ok(done) => {
                if outage.recovered() {
                    tracing::info!("{what} prepared");
                }
                return done;
            }
            Err(error) if outage.first_failure() => {
                tracing::warn!("{what} could not be prepared; retrying: {error}");
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
