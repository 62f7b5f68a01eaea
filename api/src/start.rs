//! How the API process starts and ends.

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

/// Commits in progress may take this long after the signal.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);
/// Pause between tries of something that must succeed some time.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs the API until SIGTERM. Dependencies need not be up yet: requests are answered 503 until they are.
pub async fn run(config: ApiConfig) -> Result<()> {
    config.validate()?;
    give_back_large_buffers();
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
    let mut endless = JoinSet::new();
    endless.spawn(pipeline.changes.clone().follow(pipeline.db.clone()));
    endless.spawn(results::follow_progress(pipeline.clone()));
    let mut loops = JoinSet::new();
    loops.spawn(results::follow_results(pipeline.clone()));
    loops.spawn(sweeper::run(pipeline.clone()));
    loops.spawn(webhooks::run(pipeline.clone()));
    loops.spawn(fetch::run(pipeline.clone()));
    tracing::info!(address = %listener.local_addr()?, "listening");
    let died = async {
        tokio::select! {
            ended = early(&mut endless, &shutdown) => ended,
            ended = early(&mut loops, &shutdown) => ended,
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
        // A replica that answers requests and applies no results would never be restarted.
        ended = died => bail!("a loop of the API has ended: {ended:?}"),
    }
    let _ = tokio::time::timeout(COMMIT_LIMIT, loops.join_all()).await;
    pipeline.tasks.close();
    if tokio::time::timeout(COMMIT_LIMIT, pipeline.tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("some commits did not end in time; the sweeper of another process finishes them");
    }
    Ok(())
}

/// The end of a task that goes on until the shutdown, if it comes before.
async fn early(tasks: &mut JoinSet<()>, shutdown: &CancellationToken) -> Result<(), JoinError> {
    loop {
        match tasks.join_next().await {
            Some(ended) if !shutdown.is_cancelled() => return ended,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// glibc learns from the first part of an upload that is freed to keep buffers of that size in its heaps, where they
/// fragment: eight uploads at once then hold twice what they use. With a fixed threshold each part is a mapping of
/// its own, and goes back to the system when it is sent.
fn give_back_large_buffers() {
    // SAFETY: sets a number inside the allocator, which takes its own lock.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}

/// Brings the dependencies to the shape that VidP needs, each as soon as it is up.
async fn prepare(pipeline: Shared) {
    let bucket = until_done("the bucket", || pipeline.store.ensure_bucket());
    let indexes = until_done("the indexes", || pipeline.db.ensure_indexes());
    let streams = until_done("the streams", || pipeline.queue.ensure());
    tokio::join!(bucket, indexes, streams);
}

/// Retries `work` until it succeeds; the first failure is logged, and the success after it.
async fn until_done<E: Display, F: Future<Output = Result<(), E>>>(what: &str, mut work: impl FnMut() -> F) {
    let mut outage = LogOnce::default();
    while let Err(error) = work().await {
        if outage.first_failure() {
            tracing::warn!("waiting for {what}: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
    if outage.recovered() {
        tracing::info!("{what}: done");
    }
}

/// The settings of the pipeline.
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
