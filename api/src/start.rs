//! How the API process starts and ends.

use vidp_pipeline::{Pipeline, Shared, fetch, results, sweeper};
use vidp_record::{changes::Changes, db::Db};
use crate::{metrics, router, auth::keys::Keys, config::ApiConfig, handlers::webhooks, limits::Limits};
use anyhow::{Result, bail};
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::{sync::Notify, task::{JoinError, JoinSet}};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vidp_common::{service, queue::Queue, store::Store};

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
    let app = Arc::new(App {
        db: Db::connect(&config.mongodb_url, &config.mongodb_database).await?,
        queue: Queue::connect(&config.nats, "vidp-api").await?,
        store: Store::new(&config.s3),
        public_store: Store::new(&config.public_s3()),
        keys: Keys::new(&config)?,
        limits: Limits::new(&config),
        changes: Changes::default(),
        commits: TaskTracker::new(),
        deliveries: Notify::new(),
        fetches: Notify::new(),
        shutdown: shutdown.clone(),
        metrics: metrics::install()?,
        config,
    });
    tokio::spawn(prepare(app.clone()));
    let mut endless = JoinSet::new();
    endless.spawn(app.changes.clone().follow(app.db.clone()));
    endless.spawn(results::follow_progress(app.clone()));
    let mut loops = JoinSet::new();
    loops.spawn(results::follow_results(app.clone()));
    loops.spawn(sweep::run(app.clone()));
    loops.spawn(webhooks::run(app.clone()));
    loops.spawn(fetch::run(app.clone()));
    tracing::info!(address = %listener.local_addr()?, "listening");
    let died = async {
        tokio::select! {
            ended = early(&mut endless, &shutdown) => ended,
            ended = early(&mut loops, &shutdown) => ended,
        }
    };
    let serving = service::serve(
        listener,
        routes::all(app.clone()),
        app.config.max_connections,
        shutdown.clone(),
    );
    tokio::select! {
        () = serving => {}
        // A replica that answers requests and applies no results would never be restarted.
        ended = died => bail!("a loop of the API has ended: {ended:?}"),
    }
    let _ = tokio::time::timeout(COMMIT_LIMIT, loops.join_all()).await;
    app.commits.close();
    if tokio::time::timeout(COMMIT_LIMIT, app.commits.wait())
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
async fn prepare(app: Shared) {
    let bucket = until_done("the bucket", || app.store.ensure_bucket());
    let indexes = until_done("the indexes", || app.db.ensure_indexes());
    let streams = until_done("the streams", || app.queue.ensure());
    tokio::join!(bucket, indexes, streams);
}

/// Repeats `work` until it succeeds; the first failure is logged, and the success after one.
async fn until_done<E: Display, F: Future<Output = Result<(), E>>>(what: &str, mut work: impl FnMut() -> F) {
    let mut failed = false;
    while let Err(error) = work().await {
        if !failed {
            tracing::warn!("waiting for {what}: {error}");
        }
        failed = true;
        tokio::time::sleep(PAUSE).await;
    }
    if failed {
        tracing::info!("{what}: done");
    }
}
