//! State that all parts of the pipeline share.

use crate::{outbound::Networks, quota::Quota};
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
    /// Limits of each tenant's jobs and bytes.
    pub quota: Quota,
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
    /// Number of attempts of a task that may fail, or in which its worker may die, before its stage fails.
    pub attempt_limit: u32,
    /// Time that a stage may wait and run in total.
    pub deadline: Duration,
    /// Pause between two rounds of the sweeper.
    pub sweep_every: Duration,
    /// Maximum number of sources fetched at the same time, and of uploads finished at the same time.
    pub fetches: usize,
    /// The part of them that one tenant may use.
    pub fetches_per_tenant: usize,
    /// Minimum rate in KiB per second at which a source must arrive.
    pub min_kib_per_second: u64,
    /// Largest source in MB (1,000,000 bytes).
    pub max_source_mb: u64,
    /// Networks that clients' URLs may reach or not, unlike the rest of the Internet.
    pub outbound: Networks,
    /// Seconds before each retry of a webhook delivery.
    pub webhook_retry_seconds: Vec<u64>,
    /// Most messages to webhooks that are stored for a tenant; 0 means no limit.
    pub webhook_messages_per_tenant: u64,
    /// Most retries of a job within a day; 0 means no limit.
    pub retries_per_day: u32,
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
