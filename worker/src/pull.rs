//! The pull loop: pulls a task for each free slot until the worker stops.

use super::{
    attempt::{Attempt, TaskError},
    delivery::Worker,
    lanes::Lanes,
};
use serde::Serialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use vidp_common::{LogOnce, config::WorkerConfig, metrics, service::Pulse};

/// Minimum free bytes for temporary files. With less a worker pulls no tasks: each would fail and use up its attempts.
const MIN_SCRATCH_BYTES: u64 = 64 << 20;
/// Pause after a pull that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// Time limit for stopped attempts to hand their tasks over.
const HANDOVER_LIMIT: Duration = Duration::from_secs(4);

/// Pulls and runs tasks until `shutdown`, then drains: running tasks finish in time or are handed over.
pub(super) async fn run<H, F, R>(
    worker: Arc<Worker<H>>,
    config: &WorkerConfig,
    shutdown: &CancellationToken,
    pulse: &Pulse,
    ready: &AtomicBool,
) where
    H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, TaskError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    let listener = worker.clone();
    let _cancels = AbortOnDropHandle::new(tokio::spawn(async move {
        listener.cancels.listen(&listener.queue).await;
    }));
    let slots = Arc::new(Semaphore::new(config.slots));
    let running = TaskTracker::new();
    let mut lanes = Lanes::new(worker.queue.clone(), worker.stage);
    let (mut broken, mut full) = (LogOnce::default(), LogOnce::default());
    while !shutdown.is_cancelled() {
        pulse.beat();
        let room = metrics::scratch(worker.stage, &worker.scratch);
        if room < MIN_SCRATCH_BYTES {
            if full.first_failure() {
                tracing::warn!(
                    room,
                    "the disk of VIDP_SCRATCH_DIR is full: this worker pulls no tasks"
                );
            }
        } else if full.recovered() {
            tracing::warn!(room, "the disk of VIDP_SCRATCH_DIR has room again");
        }
        let pulls = !broken.is_failing() && !full.is_failing();
        ready.store(worker.queue.is_connected() && pulls, Ordering::Relaxed);
        if full.is_failing() {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => continue,
                () = shutdown.cancelled() => break,
            }
        }
        // The permit is acquired before the pull: the lease of a pulled task runs, so that it must start at once.
        let permit = tokio::select! {
            permit = slots.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            () = tokio::time::sleep(PAUSE) => continue,
            () = shutdown.cancelled() => break,
        };
        if !worker.queue.is_connected() {
            // The client would queue requests, and send them when this loop no longer waits for the answers.
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        // The shutdown does not cancel this: a message in flight would be blocked for its whole lease. The pull ends soon.
        let takes_parts = Instant::now() >= *worker.parts_from.lock();
        match lanes.next(takes_parts).await {
            Ok(message) => {
                broken.recovered();
                if let Some(message) = message {
                    let worker = worker.clone();
                    running.spawn(async move {
                        worker.deliver(message).await;
                        drop(permit);
                    });
                }
            }
            Err(error) => {
                if broken.first_failure() {
                    tracing::warn!("no tasks can be pulled: {error:#}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    ready.store(false, Ordering::Relaxed);
    running.close();
    tracing::info!(running = running.len(), "stopping: no more tasks are pulled");
    let drained = async {
        // The worker is alive while it drains.
        while tokio::time::timeout(PAUSE, running.wait()).await.is_err() {
            pulse.beat();
        }
    };
    if tokio::time::timeout(config.drain(), drained).await.is_err() {
        tracing::info!(running = running.len(), "handing running tasks over");
        worker.stop.cancel();
        let _ = tokio::time::timeout(HANDOVER_LIMIT, running.wait()).await;
    }
}
