//! What probes, Prometheus and operators ask.

use crate::metrics;
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};
use utoipa::ToSchema;
use vidp_common::metrics::Handle;
use vidp_contract::{Lane, Stage};
use vidp_pipeline::{Pipeline, Shared};

/// A dependency that has not answered by then is down, as far as a probe is concerned.
const LIMIT: Duration = Duration::from_secs(3);

/// What the process says of itself.
#[derive(Serialize, ToSchema)]
pub struct Health {
    status: &'static str,
}

/// Whether uploads can be taken.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// `ready` or `not_ready`.
    status: &'static str,
    dependencies: Dependencies,
}

/// Every dependency.
#[derive(Serialize, ToSchema)]
struct Dependencies {
    mongodb: Dependency,
    s3: Dependency,
    nats: Dependency,
}

#[derive(Serialize, ToSchema)]
struct Dependency {
    /// `up` or `down`.
    status: &'static str,
}

/// The state of the whole.
#[derive(Serialize, ToSchema)]
pub struct Processing {
    /// `ok`, or `degraded` while a dependency is down.
    status: &'static str,
    dependencies: Dependencies,
    #[schema(value_type = BTreeMap<String, StageHealth>)]
    stages: BTreeMap<Stage, StageHealth>,
}

/// A stage's queue.
#[derive(Serialize, ToSchema)]
struct StageHealth {
    /// `ok`, or `unknown` when the broker did not answer.
    status: &'static str,
    queue_depth: QueueDepth,
    workers: Workers,
}

/// Waiting and running tasks by lane; null when the broker did not answer.
#[derive(Serialize, ToSchema)]
struct QueueDepth {
    interactive: Option<u64>,
    batch: Option<u64>,
}

/// Workers by what they do, as the broker sees them: one that died is busy until another takes its task. Null when the
/// broker did not answer.
#[derive(Serialize, ToSchema)]
struct Workers {
    busy: Option<u64>,
    idle: Option<u64>,
}

/// Tell whether the process serves.
///
/// Never a dependency's state, or its outage would restart every API.
#[utoipa::path(
    get, path = "", operation_id = "getHealth", tag = "Service",
    responses((status = 200, description = "It does.", body = Health)),
)]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Tell whether uploads can be taken.
///
/// That does not need the broker: the record holds tasks until it is back.
#[utoipa::path(
    get, path = "", operation_id = "getReadiness", tag = "Service",
    responses(
        (status = 200, description = "They can.", body = Readiness),
        (status = 503, description = "They can not.", body = Readiness),
    ),
)]
pub async fn ready(State(pipeline): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let (mongodb, s3) = tokio::join!(mongodb(&pipeline), s3(&pipeline));
    // Without its indexes the record would take one request twice.
    let (code, status) = match mongodb && s3 && pipeline.db.is_indexed() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    let dependencies = Dependencies::new(mongodb, s3, pipeline.queue.is_connected());
    (code, Json(Readiness { status, dependencies }))
}

/// Show dependencies and stages.
///
/// Every dependency, and every stage with its queue depth and its workers.
#[utoipa::path(
    get, path = "", operation_id = "getProcessingHealth", tag = "Service",
    responses((status = 200, description = "The state of the whole.", body = Processing)),
)]
pub async fn processing(State(pipeline): State<Shared>) -> Json<Processing> {
    let (mongodb, s3) = tokio::join!(mongodb(&pipeline), s3(&pipeline));
    let nats = pipeline.queue.is_connected();
    let load = async |stage, lane| match nats {
        true => pipeline.queue.load(stage, lane).await.ok(),
        false => None,
    };
    let stage = async |stage: Stage| {
        let (interactive, batch) = tokio::join!(load(stage, Lane::Interactive), load(stage, Lane::Batch));
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
    };
    let (detect, scale, subtitle) =
        tokio::join!(stage(Stage::Detect), stage(Stage::Scale), stage(Stage::Subtitle));
    Json(Processing {
        status: if mongodb && s3 && nats { "ok" } else { "degraded" },
        dependencies: Dependencies::new(mongodb, s3, nats),
        stages: BTreeMap::from([detect, scale, subtitle]),
    })
}

/// Give the figures.
///
/// Prometheus text. What the broker and the record know is asked for at every scrape: every replica tells the same.
#[utoipa::path(
    get, path = "", operation_id = "getMetrics", tag = "Service",
    responses((status = 200, description = "Every figure.", body = String,
        example = json!("vidp_queue_depth{stage=\"scale\",lane=\"interactive\"} 3\n"))),
)]
pub async fn metrics(State(pipeline): State<Shared>, State(handle): State<Handle>) -> String {
    let broker = async {
        let asked = pipeline.queue.is_connected().then(|| pipeline.queue.figures());
        tokio::time::timeout(LIMIT, asked?).await.ok()?.ok()
    };
    let record = async { tokio::time::timeout(LIMIT, pipeline.db.ages()).await.ok()?.ok() };
    let (broker, record) = tokio::join!(broker, record);
    metrics::broker(broker.as_ref());
    metrics::record(record.as_ref());
    handle.render()
}

async fn mongodb(pipeline: &Pipeline) -> bool {
    matches!(tokio::time::timeout(LIMIT, pipeline.db.ping()).await, Ok(Ok(())))
}

async fn s3(pipeline: &Pipeline) -> bool {
    matches!(
        tokio::time::timeout(LIMIT, pipeline.store.check()).await,
        Ok(Ok(()))
    )
}

impl Dependencies {
    fn new(mongodb: bool, s3: bool, nats: bool) -> Self {
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
