//! The API process: what its parts share, and how it starts and ends.

use crate::{changes::Changes, config::ApiConfig, db::Db, dispatch, plan::Times, results, routes, sweep};
use anyhow::Result;
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vidp_common::{metrics, queue::Queue, service, store::Store};

/// Commits in progress may take this long after the signal.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);

/// What every part of the API has at hand.
pub struct App {
    pub config: ApiConfig,
    pub db: Db,
    pub queue: Queue,
    pub store: Store,
    pub changes: Changes,
    /// Work that must end even when its client hangs up.
    pub commits: TaskTracker,
    pub shutdown: CancellationToken,
    pub metrics: metrics::Handle,
}

/// A handle to it, cheap to clone.
pub type Shared = Arc<App>;

impl App {
    /// The spans of time that the state machine needs.
    pub fn times(&self) -> Times {
        Times {
            stale: self.config.stale(),
            retention: self.config.retention(),
        }
    }
}

/// Runs the API until SIGTERM. Dependencies need not be up yet: requests are answered 503 until they are.
pub async fn run(config: ApiConfig) -> Result<()> {
    config.validate()?;
    let shutdown = service::shutdown_signal()?;
    let listener = service::bind(config.bind).await?;
    let app = Arc::new(App {
        db: Db::connect(&config.mongodb_url, &config.mongodb_database).await?,
        queue: Queue::connect(&config.nats, "vidp-api").await?,
        store: Store::new(&config.s3),
        changes: Changes::default(),
        commits: TaskTracker::new(),
        shutdown: shutdown.clone(),
        metrics: metrics::install()?,
        config,
    });
    metrics::describe_api();
    tokio::spawn(prepare(app.clone()));
    tokio::spawn(app.changes.clone().follow(app.db.clone()));
    tokio::spawn(results::follow_progress(app.clone()));
    let results = tokio::spawn(results::follow_results(app.clone()));
    let sweeper = tokio::spawn(sweep::run(app.clone()));
    tracing::info!(address = %listener.local_addr()?, "listening");
    service::serve(listener, routes::all(app.clone()), shutdown).await;
    let _ = tokio::time::timeout(COMMIT_LIMIT, async { tokio::join!(results, sweeper) }).await;
    app.commits.close();
    if tokio::time::timeout(COMMIT_LIMIT, app.commits.wait())
        .await
        .is_err()
    {
        tracing::warn!("some commits did not end in time; the sweeper of another process finishes them");
    }
    Ok(())
}

/// Brings the dependencies to the shape that VidP needs, each as soon as it is up.
async fn prepare(app: Shared) {
    let bucket = dispatch::until_done("the bucket", || app.store.ensure_bucket());
    let indexes = dispatch::until_done("the indexes", || app.db.ensure_indexes());
    let streams = dispatch::until_done("the streams", || app.queue.ensure());
    tokio::join!(bucket, indexes, streams);
}
