//! `GET /processing/health`: dependencies, queues and workers.

use super::dependencies::{Dependencies, mongodb, s3};
use axum::{Json, extract::State};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use vidp_contract::{Lane, Stage};
use vidp_pipeline::{Pipeline, Shared};

/// Health of the dependencies and of every stage.
#[derive(Serialize, ToSchema)]
pub(crate) struct Processing {
    /// `ok`, or `degraded` while a dependency is down.
    status: &'static str,
    /// The state of each dependency.
    dependencies: Dependencies,
    /// Health of each stage, by name.
    #[schema(value_type = BTreeMap<String, StageHealth>)]
    stages: BTreeMap<Stage, StageHealth>,
}

/// The queue and the workers of a stage.
#[derive(Serialize, ToSchema)]
struct StageHealth {
    /// `ok`, or `unknown` when the broker did not answer.
    status: &'static str,
    /// Depth of the queue.
    queue_depth: QueueDepth,
    /// Number of workers.
    workers: Workers,
}

/// Waiting and running tasks of each lane. Null when the broker did not answer.
#[derive(Serialize, ToSchema)]
struct QueueDepth {
    /// Tasks in the lane `interactive`.
    interactive: Option<u64>,
    /// Tasks in the lane `batch`.
    batch: Option<u64>,
}

/// Number of workers by activity, as the broker sees them. Null when the broker did not answer.
///
/// A worker that died counts as busy until another worker receives its task.
#[derive(Serialize, ToSchema)]
struct Workers {
    /// Workers that run a task.
    busy: Option<u64>,
    /// Workers that wait for a task.
    idle: Option<u64>,
}

/// Get the health of the pipeline.
///
/// Returns the state of every dependency, and the queue depth and the workers of every stage.
#[utoipa::path(
    get, path = "", operation_id = "getProcessingHealth", tag = "Service",
    responses((status = 200, description = "Health of the dependencies and of every stage.", body = Processing)),
)]
pub(crate) async fn processing(State(pipeline): State<Shared>) -> Json<Processing> {
    let (mongodb, s3) = tokio::join!(mongodb(&pipeline), s3(&pipeline));
    let nats = pipeline.queue.is_connected();
    let (detect, scale, subtitle) = tokio::join!(
        stage(&pipeline, nats, Stage::Detect),
        stage(&pipeline, nats, Stage::Scale),
        stage(&pipeline, nats, Stage::Subtitle)
    );
    Json(Processing {
        status: if mongodb && s3 && nats { "ok" } else { "degraded" },
        dependencies: Dependencies::new(mongodb, s3, nats),
        stages: BTreeMap::from([detect, scale, subtitle]),
    })
}

async fn stage(pipeline: &Pipeline, connected: bool, stage: Stage) -> (Stage, StageHealth) {
    let load = async |lane| match connected {
        true => pipeline.queue.load(stage, lane).await.ok(),
        false => None,
    };
    let (interactive, batch) = tokio::join!(load(Lane::Interactive), load(Lane::Batch));
    let both = interactive.zip(batch);
    let health = StageHealth {
        status: if both.is_some() { "ok" } else { "unknown" },
        queue_depth: QueueDepth {
            interactive: interactive.map(|lane| lane.depth()),
            batch: batch.map(|lane| lane.depth()),
        },
        workers: Workers {
            busy: both.map(|(one, other)| one.running + other.running),
            idle: both.map(|(one, other)| one.idle + other.idle),
        },
    };
    (stage, health)
}
