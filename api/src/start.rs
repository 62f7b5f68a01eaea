//! Starts the API process, and ends it at SIGTERM.

use crate::{
    auth::keys::Keys,
    config::ApiConfig,
    limits::Limits,
    metrics,
    playback::Library,
    router,
    state::{AppState, PublicStore},
};
use anyhow::{Result, bail};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    task::{JoinError, JoinSet},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vidp_common::{
    queue::Queue,
    service::{self, Connections},
    store::Store,
};
use vidp_pipeline::{Pipeline, Settings, fetch, orphans, quota::Quota, results, sweeper, upkeep, webhooks};
use vidp_record::{changes::Changes, db::Db, plan::Times, webhook::Vault};

/// Time limit for each kind of background work that is in progress at the shutdown.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// Runs the API until SIGTERM. While a dependency is down, requests that need it receive 503.
///
/// # Errors
/// A setting is invalid, the address cannot be bound, or a background loop ended before the shutdown.
pub(crate) async fn run(config: ApiConfig) -> Result<()> {
    config.validate()?;
    unmap_freed_parts();
    let shutdown = service::shutdown_signal()?;
    let listener = service::bind("VIDP_BIND", config.bind).await?;
    let probe_listener = service::bind("VIDP_PROBE_BIND", config.probe_bind).await?;
    let db = Db::connect(&config.mongodb_url, &config.mongodb_database).await?;
    let pipeline = Arc::new(Pipeline {
        db: db.with_vault(Vault::new(&config.key_secret, &config.key_secret_previous)),
        queue: Queue::connect(&config.nats, "vidp-api").await?,
        store: Store::new(&config.s3),
        changes: Changes::default(),
        tasks: TaskTracker::new(),
        deliveries_due: Notify::new(),
        fetches_due: Notify::new(),
        quota: Quota::new(config.quotas()),
        shutdown: shutdown.clone(),
        settings: settings(&config),
    });
    let state = AppState {
        pipeline: pipeline.clone(),
        keys: Arc::new(Keys::new(&config)?),
        limits: Arc::new(Limits::new(&config)),
        public_store: PublicStore(Store::new(&config.public_s3())),
        playback: Arc::new(Library::new()),
        metrics: metrics::install()?,
        config: Arc::new(config),
    };
    tokio::spawn(upkeep::run(pipeline.clone()));
    let mut listeners = JoinSet::new();
    listeners.spawn(pipeline.changes.clone().follow(pipeline.db.clone()));
    listeners.spawn(results::follow_progress(pipeline.clone()));
    listeners.spawn(service::serve(
        probe_listener,
        router::probes(state.clone()),
        Connections::PROBES,
        shutdown.clone(),
    ));
    let mut loops = JoinSet::new();
    loops.spawn(results::follow_results(pipeline.clone()));
    loops.spawn(sweeper::run(pipeline.clone()));
    loops.spawn(orphans::run(pipeline.clone()));
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
        state.config.connections(),
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
        fetches_per_tenant: config.fetches_per_tenant(),
        min_kib_per_second: config.min_upload_kib_per_second,
        max_source_mb: config.max_upload_mb,
        outbound: config.outbound(),
        webhook_retry_seconds: config.webhook_retry_seconds.clone(),
        webhook_messages_per_tenant: config.webhook_messages_per_tenant,
        retries_per_day: config.retries_per_day,
    }
}
