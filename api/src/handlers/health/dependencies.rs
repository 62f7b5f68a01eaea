//! The state of each dependency, with a time limit.

use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use vidp_pipeline::Pipeline;

/// A dependency that does not answer within this time counts as down.
pub(super) const LIMIT: Duration = Duration::from_secs(3);

/// The state of every dependency.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct Dependencies {
    /// The database.
    mongodb: Dependency,
    /// The object store.
    s3: Dependency,
    /// The message broker.
    nats: Dependency,
}

/// The state of a dependency.
#[derive(Clone, Serialize, ToSchema)]
struct Dependency {
    /// `up` or `down`.
    status: &'static str,
}

impl Dependencies {
    pub(super) fn new(mongodb: bool, s3: bool, nats: bool) -> Self {
        let state = |up| Dependency {
            status: if up { "up" } else { "down" },
        };
        Dependencies {
            mongodb: state(mongodb),
            s3: state(s3),
            nats: state(nats),
        }
    }
}

/// True when MongoDB answers.
pub(super) async fn mongodb(pipeline: &Pipeline) -> bool {
    matches!(tokio::time::timeout(LIMIT, pipeline.db.ping()).await, Ok(Ok(())))
}

/// True when the object store answers.
pub(super) async fn s3(pipeline: &Pipeline) -> bool {
    matches!(
        tokio::time::timeout(LIMIT, pipeline.store.check()).await,
        Ok(Ok(()))
    )
}
