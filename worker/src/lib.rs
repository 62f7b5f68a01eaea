//! The one loop that every worker runs: take a permit, pull one task, keep its lease, run the handler, commit.
//!
//! * `attempt`: what a handler is given and how it answers.
//! * `lanes`: which queue the next task comes from.
//! * `lease`: heartbeats and the final word to the broker.
//! * `delivery`: one delivered message, from decoding to the acknowledgement.
//! * `run`: the handler runs until it ends or must stop.
//! * `commit`: a finished attempt becomes the stage's result, once.

mod attempt;
mod commit;
mod delivery;
pub mod ffmpeg;
#[cfg(test)]
mod fuzz;
mod lanes;
mod lease;
mod run;
mod scratch;

pub use attempt::{Attempt, TaskError};

use anyhow::{Result, bail};
use delivery::Worker;
use futures_util::StreamExt;
use lanes::Lanes;
use serde::Serialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, broadcast};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use vidp_common::{
    config::WorkerConfig,
    metrics,
    queue::{Cancel, Queue},
    service::{self, Pulse},
    store::Store,
};
use vidp_contract::{Lane, Stage, streams};

/// Connections to the probes; kubelet and Prometheus need two.
const MAX_PROBES: usize = 64;
/// The pull loop gives a sign of life about every second; a broker that is down costs it a few timeouts.
const PULSE_LIMIT: Duration = Duration::from_secs(30);
/// With less room for temporary files a worker takes no tasks: each would fail and use up its attempts.
const MIN_SCRATCH: u64 = 64 << 20;
/// Pause after a pull that failed.
const PULL_PAUSE: Duration = Duration::from_secs(1);
/// Time for killed attempts to hand their tasks over.
const HANDOVER: Duration = Duration::from_secs(4);

/// Runs a worker until SIGTERM: probes, connections, then the loop.
///
/// `handler` gets an [`Attempt`] and returns the stage's report, or a [`TaskError`] that says whether to try again.
/// Errors are those of the start: contradicting settings, a port in use, a store that cannot fence.
pub async fn main<H, F, R>(stage: Stage, port: u16, config: WorkerConfig, handler: H) -> Result<()>
where
    H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, TaskError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    serve(stage, port, config, service::shutdown_signal()?, handler).await
}

/// [`main`] with an end of the caller's own.
pub async fn serve<H, F, R>(
    stage: Stage,
    port: u16,
    config: WorkerConfig,
    shutdown: CancellationToken,
    handler: H,
) -> Result<()>
where
    H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, TaskError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    config.validate()?;
    let name = format!("{}-{}", hostname(), std::process::id());
    let scratch = scratch::prepare(&config.scratch_dir, stage)?;
    let recorder = metrics::install(&[])?;
    metrics::describe_worker(stage, config.slots);
    let (pulse, ready) = (Pulse::new(PULSE_LIMIT), Arc::new(AtomicBool::new(false)));
    let listener = service::bind(config.address(port)).await?;
    let probes = service::probes(pulse.clone(), ready.clone(), recorder);
    let stop_probes = CancellationToken::new();
    let server = tokio::spawn(service::serve(listener, probes, MAX_PROBES, stop_probes.clone()));

    let queue = Queue::connect(&config.nats, &format!("worker-{stage}")).await?;
    let store = Store::new(&config.s3);
    if connect(stage, &queue, &store, &shutdown, &pulse).await? {
        tracing::info!(%stage, slots = config.slots, confined = vidp_common::process::layers(), "ready for tasks");
        let worker = Arc::new(Worker {
            stage,
            name,
            queue,
            store,
            scratch: scratch.clone(),
            task_timeout: config.task_timeout(),
            ack_wait: config.nats.ack_wait(),
            cancels: broadcast::channel(1024).0,
            stop: CancellationToken::new(),
            handler,
        });
        run(worker, &config, &shutdown, &pulse, &ready).await;
    }
    scratch::remove(&scratch);
    stop_probes.cancel();
    server.await?;
    Ok(())
}

/// Waits for the broker and the store; false when the process is to end first.
async fn connect(
    stage: Stage,
    queue: &Queue,
    store: &Store,
    shutdown: &CancellationToken,
    pulse: &Pulse,
) -> Result<bool> {
    // Waiting for a dependency is no reason to be restarted.
    let _beating = AbortOnDropHandle::new(tokio::spawn(beat(pulse.clone())));
    let mut told = false;
    loop {
        let attempt = async {
            queue.lane_consumer(stage, Lane::Interactive).await?;
            anyhow::Ok(store.honours_conditional_writes().await?)
        };
        match attempt.await {
            Ok(true) => return Ok(true),
            Ok(false) => bail!(
                "the object store ignores If-None-Match: two workers could both commit the same stage; use a store \
                 that honours conditional writes"
            ),
            Err(error) if !told => tracing::warn!("waiting for the broker and the object store: {error:#}"),
            Err(_) => {}
        }
        told = true;
        tokio::select! {
            () = tokio::time::sleep(PULL_PAUSE) => {}
            () = shutdown.cancelled() => return Ok(false),
        }
    }
}

async fn beat(pulse: Pulse) {
    loop {
        pulse.beat();
        tokio::time::sleep(PULL_PAUSE).await;
    }
}

async fn run<H, F, R>(
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
    tokio::spawn(listen_for_cancels(worker.queue.clone(), worker.cancels.clone()));
    let slots = Arc::new(Semaphore::new(config.slots));
    let running = TaskTracker::new();
    let mut lanes = Lanes::new(worker.queue.clone(), worker.stage);
    let (mut broken, mut full) = (false, false);
    while !shutdown.is_cancelled() {
        pulse.beat();
        let room = metrics::scratch(worker.stage, &worker.scratch);
        if full != (room < MIN_SCRATCH) {
            full = !full;
            tracing::warn!(
                room,
                full,
                "the disk of VIDP_SCRATCH_DIR: no tasks are taken while it is full"
            );
        }
        ready.store(worker.queue.is_connected() && !broken && !full, Ordering::Relaxed);
        if full {
            tokio::select! {
                () = tokio::time::sleep(PULL_PAUSE) => continue,
                () = shutdown.cancelled() => break,
            }
        }
        // The permit comes before the pull: a task that is pulled has its lease running and must start at once.
        let permit = tokio::select! {
            permit = slots.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            () = tokio::time::sleep(PULL_PAUSE) => continue,
            () = shutdown.cancelled() => break,
        };
        if !worker.queue.is_connected() {
            // Requests would pile up in the client, and be sent when nobody waits for the answers any more.
            tokio::time::sleep(PULL_PAUSE).await;
            continue;
        }
        // Not cancelled by the shutdown: a message on its way would be lost to its whole lease. It ends by itself.
        match lanes.next().await {
            Ok(message) => {
                broken = false;
                if let Some(message) = message {
                    let worker = worker.clone();
                    running.spawn(async move {
                        worker.deliver(message).await;
                        drop(permit);
                    });
                }
            }
            Err(error) => {
                if !broken {
                    tracing::warn!("no tasks can be pulled: {error:#}");
                }
                broken = true;
                tokio::time::sleep(PULL_PAUSE).await;
            }
        }
    }
    ready.store(false, Ordering::Relaxed);
    running.close();
    tracing::info!(running = running.len(), "stopping: no more tasks are taken");
    let drained = async {
        // Still alive while it drains.
        while tokio::time::timeout(PULL_PAUSE, running.wait()).await.is_err() {
            pulse.beat();
        }
    };
    if tokio::time::timeout(config.drain(), drained).await.is_err() {
        tracing::info!(running = running.len(), "handing running tasks over");
        worker.stop.cancel();
        let _ = tokio::time::timeout(HANDOVER, running.wait()).await;
    }
}

/// Passes cancellations on to whoever runs that job. A lost one is repeated by the API at the next progress.
async fn listen_for_cancels(queue: Queue, heard: broadcast::Sender<Cancel>) {
    loop {
        match queue.subscribe(streams::CANCEL_SUBJECTS, None).await {
            Ok(mut cancels) => {
                while let Some(message) = cancels.next().await {
                    // Fails when nothing runs.
                    Cancel::read(&message).map(|cancel| heard.send(cancel));
                }
            }
            Err(error) => tracing::warn!("cancellations are not heard: {error}"),
        }
        tokio::time::sleep(PULL_PAUSE).await;
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "worker".to_owned(), |name| name.trim().to_owned())
}
