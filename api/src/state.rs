//! What the API's parts share.

use vidp_record::{changes::Changes, db::Db, plan::Times};
use crate::{auth::keys::Keys, config::ApiConfig, limits::Limits};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vidp_common::{metrics, queue::Queue, store::Store};

/// What every part of the API has at hand.
pub struct App {
    pub config: ApiConfig,
    pub db: Db,
    pub keys: Keys,
    pub limits: Limits,
    pub queue: Queue,
    pub store: Store,
    /// The same bucket at the address that clients reach it at; only for presigned URLs.
    pub public_store: Store,
    pub changes: Changes,
    /// Work that must end even when its client hangs up.
    pub commits: TaskTracker,
    /// Says that there are webhooks to send.
    pub deliveries: Notify,
    /// Rung when a source is to be fetched.
    pub fetches: Notify,
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
            tidy: self.config.tidy(),
            retention: self.config.retention(),
            max_retention: self.config.max_retention(),
        }
    }
}
