//! Starts the API process, and ends it at SIGTERM.

use crate::{
    auth::keys::Keys,
    config::ApiConfig,
    limits::Limits,
    metrics, router,
    state::{AppState, PublicStore},
};
use anyhow::{Result, bail};
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    task::{JoinError, JoinSet},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vidp_common::{LogOnce, queue::Queue, service, store::Store};
use vidp_pipeline::{Pipeline, Settings, Shared, fetch, results, sweeper, webhooks};
use vidp_record::{changes::Changes, db::Db, plan::Times};

/// Time limit for each kind of background work that is in progress at the shutdown.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);
/// Pause between two attempts to prepare a dependency.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Runs the API until SIGTERM. While a dependency is down, requests that need it receive 503.
///
/// # Errors
/// A setting is invalid, the address cannot be bound, or a background loop ended before the shutdown.
pub async fn run(config: ApiConfig) -> Result<()> {
    config.validate()?;
    unmap_freed_parts();
    let shutdown = service::shutdown_signal()?;
    let listener = service::bind(config.bind).await?;
    let pipeline = Arc::new(Pipeline {
        db: Db::connect(&config.mongodb_url, &config.mongodb_database).await?,
        queue: Queue::connect(&config.nats, "vidp-api").await?,
        store: Store::new(&config.s3),
        changes: Changes::default(),
        tasks: TaskTracker::new(),
        deliveries_due: Notify::new(),
        fetches_due: Notify::new(),
        shutdown: shutdown.clone(),
        settings: settings(&config),
    });
    let state = AppState {
        pipeline: pipeline.clone(),
        keys: Arc::new(Keys::new(&config)?),
        limits: Arc::new(Limits::new(&config)),
        public_store: PublicStore(Store::new(&config.public_s3())),
        metrics: metrics::install()?,
        config: Arc::new(config),
    };
    tokio::spawn(prepare(pipeline.clone()));
    let mut listeners = JoinSet::new();
    listeners.spawn(pipeline.changes.clone().follow(pipeline.db.clone()));
    listeners.spawn(results::follow_progress(pipeline.clone()));
    let mut loops = JoinSet::new();
    loops.spawn(results::follow_results(pipeline.clone()));
    loops.spawn(sweeper::run(pipeline.clone()));
    loops.spawn(webhooks::run(pipeline.clone()));
    loops.spawn(fetch::run(pipeline.clone()));
    tracing::info!(address = %listener.local_addr()?, "listening");
    let died = async {
        tokio::select! {
            ended = unexpected_end(&mut listeners, &shutdown) => ended,
            ended = unexpected_end(&mut loops, &shutdown) => ended,
        }
    };
    let serving = service::serve(
        listener,
        router::all(state.clone())?,
        state.config.max_connections,
        shutdown.clone(),
    );
    tokio::select! {
        () = serving => {}
        // Without this exit, a replica that answers requests but applies no results would never be restarted.
        ended = died => bail!("a background loop of the API ended unexpectedly: {ended:?}"),
    }
    let _ = tokio::time::timeout(SHUTDOWN_LIMIT, loops.join_all()).await;
    pipeline.tasks.close();
    if tokio::time::timeout(SHUTDOWN_LIMIT, pipeline.tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("background work did not end in time; the sweeper of another process finishes it");
    }
    Ok(())
}

/// Waits for a task that ends before the shutdown. Never returns while all tasks run.
async fn unexpected_end(tasks: &mut JoinSet<()>, shutdown: &CancellationToken) -> Result<(), JoinError> {
    loop {
        match tasks.join_next().await {
            Some(ended) if !shutdown.is_cancelled() => return ended,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// Makes glibc return the buffer of each sent upload part to the system.
///
/// By default, glibc raises its threshold when the first part is freed and then holds buffers of that size in its heaps,
/// which fragment: eight concurrent uploads hold twice the memory that they use. With a fixed threshold each part is a
/// separate mapping, which is unmapped when it is freed.
fn unmap_freed_parts() {
    // SAFETY: sets a number inside the allocator, which holds its lock meanwhile.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}

/// Creates the bucket, the indexes and the streams, each as soon as its server is up.
async fn prepare(pipeline: Shared) {
    let bucket = until_done("the bucket", || pipeline.store.ensure_bucket());
    let indexes = until_done("the indexes", || pipeline.db.ensure_indexes());
    let streams = until_done("the streams", || pipeline.queue.ensure());
    tokio::join!(bucket, indexes, streams);
}

/// Retries `work` until it succeeds. Logs the first failure and the recovery.
async fn until_done<E: Display, F: Future<Output = Result<(), E>>>(what: &str, mut work: impl FnMut() -> F) {
    let mut outage = LogOnce::default();
    while let Err(error) = work().await {
        if outage.first_failure() {
            tracing::warn!("{what} could not be prepared; retrying: {error}");
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    if outage.recovered() {
        tracing::info!("{what} prepared");
    }
}

/// Derives the pipeline's settings from those of the API.
fn settings(config: &ApiConfig) -> Settings {
    Settings {
        times: Times {
            stale: config.stale(),
            tidy: config.tidy(),
            retention: config.retention(),
            max_retention: config.max_retention(),
        },
        attempt_limit: config.attempt_limit,
        deadline: config.deadline(),
        sweep_every: Duration::from_secs(config.sweep_seconds),
        fetches: config.fetches,
        max_source_mb: config.max_upload_mb,
        outbound_allow: config.outbound_allow.clone(),
        webhook_retry_seconds: config.webhook_retry_seconds.clone(),
    }
}
