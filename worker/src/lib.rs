//! The one loop that every worker runs: take a permit, pull one task, keep its lease, run the handler, commit.
//!
//! * `attempt`: what a handler is given and how it answers.
//! * `lanes`: which queue the next task comes from.
//! * `lease`: heartbeats and the final word to the broker.
//! * `delivery`: one delivered message, from decoding to the acknowledgement.
//! * `run`: the handler runs until it ends or must stop.
//! * `commit`: a finished attempt becomes the stage's result, once.

mod answer;
mod attempt;
mod commit;
mod connect;
mod delivery;
pub mod ffmpeg;
#[cfg(test)]
mod fuzz;
mod lanes;
mod lease;
mod pull;
mod run;
mod scratch;

pub use attempt::{Attempt, TaskError};

use anyhow::Result;
use delivery::Worker;
use serde::Serialize;
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use vidp_common::{
    config::WorkerConfig,
    metrics,
    queue::Queue,
    service::{self, Pulse},
    store::Store,
};
use vidp_contract::Stage;

/// Connections to the probes; kubelet and Prometheus need two.
const MAX_PROBES: usize = 64;
/// The pull loop gives a sign of life about every second; a broker that is down costs it a few timeouts.
const PULSE_LIMIT: Duration = Duration::from_secs(30);
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
    if connect::connect(stage, &queue, &store, &shutdown, &pulse).await? {
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
        pull::run(worker, &config, &shutdown, &pulse, &ready).await;
    }
    scratch::remove(&scratch);
    stop_probes.cancel();
    server.await?;
    Ok(())
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "worker".to_owned(), |name| name.trim().to_owned())
}
