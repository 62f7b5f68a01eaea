//! State that all parts of the pipeline share.

use ipnet::IpNet;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vidp_common::{queue::Queue, store::Store};
use vidp_record::{changes::Changes, db::Db, plan::Times};

/// Connections, background work and settings of the pipeline.
pub struct Pipeline {
    /// The record.
    pub db: Db,
    /// The message broker.
    pub queue: Queue,
    /// The object store.
    pub store: Store,
    /// The change stream of the jobs.
    pub changes: Changes,
    /// Background work that must complete even when its client disconnects.
    pub tasks: TaskTracker,
    /// Wakes the sender of webhooks: a delivery is due.
    pub deliveries_due: Notify,
    /// Wakes the fetcher: a source is due.
    pub fetches_due: Notify,
    /// Cancelled when the process must end.
    pub shutdown: CancellationToken,
    /// The settings.
    pub settings: Settings,
}

/// A handle to the pipeline, cheap to clone.
pub type Shared = Arc<Pipeline>;

/// The settings that the pipeline uses.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time limits of the state machine.
    pub times: Times,
    /// Number of deliveries of a task after which its stage fails.
    pub attempt_limit: u32,
    /// Time that a stage may wait and run in total.
    pub deadline: Duration,
    /// Pause between two rounds of the sweeper.
    pub sweep_every: Duration,
    /// Maximum number of sources fetched at the same time.
    pub fetches: usize,
    /// Largest source in MB (1,000,000 bytes).
    pub max_source_mb: u64,
    /// Networks that are not public, but permitted for clients' URLs.
    pub outbound_allow: Vec<IpNet>,
    /// Seconds before each retry of a webhook delivery.
    pub webhook_retry_seconds: Vec<u64>,
}

impl Settings {
    /// Returns the size of the largest source in bytes.
    pub fn max_source(&self) -> u64 {
        self.max_source_mb.saturating_mul(1_000_000)
    }
}

impl Pipeline {
    /// Returns the time limits of the state machine.
    pub fn times(&self) -> Times {
        self.settings.times
    }
}
