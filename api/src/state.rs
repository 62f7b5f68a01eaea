//! The state behind the routes. A handler takes the parts that it uses, by `State<…>`.

use crate::{auth::keys::Keys, config::ApiConfig, limits::Limits};
use axum::extract::FromRef;
use std::{ops::Deref, sync::Arc};
use vidp_common::{metrics::Handle, queue::Queue, store::Store};
use vidp_pipeline::Shared;
use vidp_record::{changes::Changes, db::Db};

/// Everything that some handler needs. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// What happens to jobs.
    pub pipeline: Shared,
    /// The settings.
    pub config: Arc<ApiConfig>,
    /// API keys.
    pub keys: Arc<Keys>,
    /// Limits of each caller.
    pub limits: Arc<Limits>,
    /// The bucket at the address that clients use.
    pub public_store: PublicStore,
    /// Renders the metrics.
    pub metrics: Handle,
}

/// The bucket at the address that clients use; only for presigned URLs.
#[derive(Clone)]
pub struct PublicStore(pub Store);

impl Deref for PublicStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.0
    }
}

/// What every way to upload needs: the pipeline, the limits, and the settings of size, rate and sources.
#[derive(Clone)]
pub struct Intake {
    /// What happens to jobs.
    pub pipeline: Shared,
    /// Limits of each caller.
    pub limits: Arc<Limits>,
    /// The settings.
    pub config: Arc<ApiConfig>,
}

macro_rules! parts {
    ($($Part:ty = |$state:ident| $part:expr;)+) => {
        $(impl FromRef<AppState> for $Part {
            fn from_ref($state: &AppState) -> Self {
                $part
            }
        })+
    };
}

parts! {
    Shared = |state| state.pipeline.clone();
    Db = |state| state.pipeline.db.clone();
    Queue = |state| state.pipeline.queue.clone();
    Store = |state| state.pipeline.store.clone();
    Changes = |state| state.pipeline.changes.clone();
    Arc<ApiConfig> = |state| state.config.clone();
    Arc<Keys> = |state| state.keys.clone();
    PublicStore = |state| state.public_store.clone();
    Handle = |state| state.metrics.clone();
    Intake = |state| Intake {
        pipeline: state.pipeline.clone(),
        limits: state.limits.clone(),
        config: state.config.clone(),
    };
}
