//! State shared by the routes. A handler requests the parts that it uses with `State<…>`.

use crate::{auth::keys::Keys, config::ApiConfig, limits::Limits, playback::Library};
use axum::extract::FromRef;
use std::{ops::Deref, sync::Arc};
use vidp_common::{metrics::Handle, queue::Queue, store::Store};
use vidp_pipeline::Shared;
use vidp_record::{changes::Changes, db::Db};

/// State shared by all handlers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState {
    /// The pipeline, with its connections to MongoDB, NATS and the object store.
    pub(crate) pipeline: Shared,
    /// Settings of the API.
    pub(crate) config: Arc<ApiConfig>,
    /// Checks API keys.
    pub(crate) keys: Arc<Keys>,
    /// Limits of each caller.
    pub(crate) limits: Arc<Limits>,
    /// The bucket at the address that clients use.
    pub(crate) public_store: PublicStore,
    /// Streams that are played now.
    pub(crate) playback: Arc<Library>,
    /// Renders the metrics.
    pub(crate) metrics: Handle,
}

/// The bucket at the address that clients use; only for presigned URLs.
#[derive(Clone)]
pub(crate) struct PublicStore(pub(crate) Store);

impl Deref for PublicStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.0
    }
}

/// State that every kind of upload needs: the pipeline, the limits, and the settings of size, rate and sources.
#[derive(Clone)]
pub(crate) struct Intake {
    /// The pipeline, with its connections to MongoDB, NATS and the object store.
    pub(crate) pipeline: Shared,
    /// Limits of each caller.
    pub(crate) limits: Arc<Limits>,
    /// Settings of the API.
    pub(crate) config: Arc<ApiConfig>,
}

/// State that the playback of streams needs.
#[derive(Clone)]
pub(crate) struct Playing {
    /// Settings of the API.
    pub(crate) config: Arc<ApiConfig>,
    /// Streams that are played now, and the record of their jobs.
    pub(crate) library: Arc<Library>,
    pub(crate) db: Db,
    /// The bucket, and the same at the address that clients use.
    pub(crate) store: Store,
    pub(crate) public_store: PublicStore,
    /// Limits of each caller.
    pub(crate) limits: Arc<Limits>,
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
    Arc<Limits> = |state| state.limits.clone();
    PublicStore = |state| state.public_store.clone();
    Handle = |state| state.metrics.clone();
    Playing = |state| Playing {
        config: state.config.clone(),
        library: state.playback.clone(),
        db: state.pipeline.db.clone(),
        store: state.pipeline.store.clone(),
        public_store: state.public_store.clone(),
        limits: state.limits.clone(),
    };
    Intake = |state| Intake {
        pipeline: state.pipeline.clone(),
        limits: state.limits.clone(),
        config: state.config.clone(),
    };
}
