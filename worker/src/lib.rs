//! The loop of every worker: take a permit, pull one task, extend its lease, run the handler, commit the result.
//!
//! * `connect`: waits for the broker and the object store.
//! * `pull`: the loop, from a free slot to a delivered task.
//! * `lanes`: chooses the lane of the next task.
//! * `lease`: heartbeats, and the final answer to the broker; `cancels`: the tasks that were cancelled.
//! * `delivery`: one delivered message, from decoding to its end; `answer`: the answer to the broker.
//! * `assist`: one delivered offer of a part of a task that another worker runs.
//! * `tally`: counts how the earlier deliveries of a task ended.
//! * `run`: runs the handler until it ends or must stop.
//! * `attempt`: the interface of a handler.
//! * `parts`: finished parts of a task in the store; `stream`: those that viewers play already.
//! * `commit`: commits a finished attempt as the result of its stage, once.
//! * [`ffmpeg`]: ffmpeg and ffprobe under limits.

mod answer;
mod assist;
mod attempt;
mod cancels;
mod commit;
mod connect;
mod delivery;
pub mod ffmpeg;
#[cfg(test)]
mod fuzz;
mod lanes;
mod lease;
mod parts;
mod pull;
mod run;
mod scratch;
mod stream;
mod tally;

pub use attempt::{Attempt, TaskError};
pub use parts::StoredFile;

use anyhow::Result;
use cancels::Cancels;
use delivery::Worker;
use parking_lot::Mutex;
use scratch::Scratch;
use serde::Serialize;
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use vidp_common::{
    config::WorkerConfig,
    metrics,
    queue::Queue,
    service::{self, Connections, Pulse},
    store::Store,
};
use vidp_contract::Stage;

/// Time without a beat after which the worker counts as dead. The pull loop beats about every second, and an outage of
/// the broker delays it by a few timeouts.
const PULSE_LIMIT: Duration = Duration::from_secs(30);
/// Runs a worker until SIGTERM: probes, connections, then the loop.
///
/// `handler` receives an [`Attempt`] and returns the report of the stage, or a [`TaskError`] that says whether to retry.
///
/// # Errors
/// Fails only at the start: contradictory settings, a port in use, or a store that ignores conditional writes.
pub async fn main<H, F, R>(stage: Stage, port: u16, config: WorkerConfig, handler: H) -> Result<()>
where
    H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, TaskError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    serve(stage, port, config, service::shutdown_signal()?, handler).await
}

/// Runs a worker as [`main`] does, until `shutdown` is cancelled.
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
    let scratch = Scratch::prepare(&config.scratch_dir, stage)?;
    let recorder = metrics::install(&[])?;
    metrics::describe_worker(stage, config.slots);
    let (pulse, ready) = (Pulse::new(PULSE_LIMIT), Arc::new(AtomicBool::new(false)));
    let listener = service::bind("VIDP_BIND", config.address(port)).await?;
    let probes = service::probes(pulse.clone(), ready.clone(), recorder);
    let stop_probes = CancellationToken::new();
    let server = tokio::spawn(service::serve(
        listener,
        probes,
        Connections::PROBES,
        stop_probes.clone(),
    ));

    let queue = Queue::connect(&config.nats, &format!("worker-{stage}")).await?;
    let store = Store::new(&config.s3);
    if connect::connect(stage, &queue, &store, &shutdown, &pulse).await? {
        tracing::info!(%stage, slots = config.slots, confined = vidp_common::process::layers(), "ready for tasks");
        let worker = Arc::new(Worker {
            stage,
            name,
            queue,
            store,
            scratch: scratch.path.clone(),
            task_timeout: config.task_timeout(),
            ack_wait: config.nats.ack_wait(),
            cancels: Cancels::new(),
            parts_from: Mutex::new(Instant::now()),
            stop: CancellationToken::new(),
            handler,
        });
        pull::run(worker, &config, &shutdown, &pulse, &ready).await;
    }
    scratch.remove();
    stop_probes.cancel();
    server.await?;
    Ok(())
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "worker".to_owned(), |name| name.trim().to_owned())
}
