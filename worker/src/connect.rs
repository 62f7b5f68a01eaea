//! The wait for the broker and the object store at the start of a worker.

use anyhow::{Result, bail};
use std::time::Duration;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use vidp_common::{LogOnce, queue::Queue, service::Pulse, store::Store};
use vidp_contract::{Lane, Stage};

/// Pause between attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// Waits until the broker and the store are up. Returns false when the shutdown is first.
///
/// # Errors
/// Fails when the store ignores conditional writes.
pub(super) async fn connect(
    stage: Stage,
    queue: &Queue,
    store: &Store,
    shutdown: &CancellationToken,
    pulse: &Pulse,
) -> Result<bool> {
    // A worker that waits for a dependency is alive: a restart would not help.
    let _beating = AbortOnDropHandle::new(tokio::spawn(beat(pulse.clone())));
    let mut outage = LogOnce::default();
    loop {
        let attempt = async {
            queue.lane_consumer(stage, Lane::Interactive).await?;
            anyhow::Ok(store.honours_conditional_writes(stage).await?)
        };
        match attempt.await {
            Ok(true) => return Ok(true),
            Ok(false) => bail!(
                "the object store ignores If-None-Match: two workers could both commit the same stage; use a store \
                 that honours conditional writes"
            ),
            Err(error) if outage.first_failure() => {
                tracing::warn!("waiting for the broker and the object store: {error:#}")
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return Ok(false),
        }
    }
}

async fn beat(pulse: Pulse) {
    loop {
        pulse.beat();
        tokio::time::sleep(PAUSE).await;
    }
}
