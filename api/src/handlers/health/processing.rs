//! `GET /processing/health`: dependencies, queues and workers.

use super::{
    cached::Cached,
    dependencies::{Dependencies, LIMIT, mongodb, s3},
};
use crate::{authorize::HasKey, http::problem::Problem};
use axum::{Extension, Json, extract::State};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};
use utoipa::ToSchema;
use vidp_common::queue::{Load, QueueMetrics, QueueProblem};
use vidp_contract::{Lane, Stage, streams};
use vidp_pipeline::{Pipeline, Shared};

/// Time for which one answer serves all clients.
const CACHE_LIFE: Duration = Duration::from_secs(2);

/// Health of the dependencies and of every stage.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct Processing {
    /// `ok`, or `degraded` while a dependency is down or a part of the queue has a problem.
    status: &'static str,
    /// The state of each dependency.
    dependencies: Dependencies,
    /// Streams and consumers of the broker that are missing, paused, or changed by hand. Empty in a healthy system.
    problems: Vec<BrokerProblem>,
    /// Health of each stage, by name.
    #[schema(value_type = BTreeMap<String, StageHealth>)]
    stages: BTreeMap<Stage, StageHealth>,
}

/// A stream or consumer of the broker that is not as VidP has made it.
#[derive(Clone, Serialize, ToSchema)]
struct BrokerProblem {
    /// Name of the stream or consumer, for example `scale-interactive`.
    object: String,
    /// `missing`: VidP creates it again within seconds. `paused`: its tasks wait until its pause ends. `changed`: its
    /// settings differ from those of VidP.
    problem: &'static str,
    /// The problem in a sentence.
    detail: String,
}

/// The queue and the workers of a stage.
#[derive(Clone, Serialize, ToSchema)]
struct StageHealth {
    /// `ok`, `degraded` while a consumer of the stage has a problem, or `unknown` when the broker did not answer.
    status: &'static str,
    /// Depth of the queue.
    queue_depth: QueueDepth,
    /// Number of workers.
    workers: Workers,
}

/// Waiting and running tasks of each lane. Null without an API key, when the broker did not answer, and while the lane's
/// consumer is missing.
#[derive(Clone, Default, Serialize, ToSchema)]
struct QueueDepth {
    /// Tasks in the lane `interactive`.
    interactive: Option<u64>,
    /// Tasks in the lane `batch`.
    batch: Option<u64>,
}

/// Number of workers by activity, as the broker sees them. Null without an API key, and when the broker did not answer.
///
/// A worker that died counts as busy until another worker receives its task.
#[derive(Clone, Default, Serialize, ToSchema)]
struct Workers {
    /// Workers that run a task.
    busy: Option<u64>,
    /// Workers that wait for a task.
    idle: Option<u64>,
}

/// Get the health of the pipeline.
///
/// Returns the state of every dependency, at most 2 seconds old. With an API key of any scope, the answer also has the queue
/// depth and the workers of every stage.
#[utoipa::path(
    get, path = "", operation_id = "getProcessingHealth", tag = "Service",
    responses((status = 200, description = "Health of the dependencies and of every stage.", body = Processing)),
)]
pub(crate) async fn processing(
    State(pipeline): State<Shared>,
    Extension(cached): Extension<Cached<Processing>>,
    HasKey(has_key): HasKey,
) -> Result<Json<Processing>, Problem> {
    let processing = cached.get(CACHE_LIFE, Processing::read(pipeline)).await;
    let mut processing = processing.ok_or_else(|| Problem::internal("a health check panicked"))?;
    if !has_key {
        for stage in processing.stages.values_mut() {
            (stage.queue_depth, stage.workers) = (QueueDepth::default(), Workers::default());
        }
    }
    Ok(Json(processing))
}

impl Processing {
    async fn read(pipeline: Shared) -> Processing {
        let (mongodb, s3, queue) = tokio::join!(mongodb(&pipeline), s3(&pipeline), queue(&pipeline));
        let nats = pipeline.queue.is_connected();
        let problems = queue.iter().flat_map(|queue| &queue.problems);
        let problems: Vec<_> = problems.map(BrokerProblem::from).collect();
        let healthy = mongodb && s3 && nats && queue.is_some() && problems.is_empty();
        Processing {
            status: if healthy { "ok" } else { "degraded" },
            dependencies: Dependencies::new(mongodb, s3, nats),
            problems,
            stages: Stage::ALL.map(|name| (name, stage(queue.as_ref(), name))).into(),
        }
    }
}

impl From<&QueueProblem> for BrokerProblem {
    fn from(problem: &QueueProblem) -> BrokerProblem {
        BrokerProblem {
            object: problem.object.clone(),
            problem: problem.kind.as_str(),
            detail: problem.detail.clone(),
        }
    }
}

/// Returns the broker's metrics; `None` when it does not answer in time.
async fn queue(pipeline: &Pipeline) -> Option<QueueMetrics> {
    let metrics = pipeline.queue.is_connected().then(|| pipeline.queue.metrics());
    tokio::time::timeout(LIMIT, metrics?).await.ok()?.ok()
}

fn stage(queue: Option<&QueueMetrics>, stage: Stage) -> StageHealth {
    let load = |lane| queue.and_then(|queue| queue.loads.get(&(stage, lane)));
    let (interactive, batch) = (load(Lane::Interactive), load(Lane::Batch));
    let both = interactive.zip(batch);
    let names = Lane::ALL.map(|lane| streams::consumer(stage, lane));
    let has_problem = |queue: &QueueMetrics| {
        let mut problems = queue.problems.iter();
        problems.any(|problem| names.contains(&problem.object))
    };
    StageHealth {
        status: match queue.map(has_problem) {
            Some(false) => "ok",
            Some(true) => "degraded",
            None => "unknown",
        },
        queue_depth: QueueDepth {
            interactive: interactive.map(Load::depth),
            batch: batch.map(Load::depth),
        },
        workers: Workers {
            busy: both.map(|(one, other)| one.running + other.running),
            idle: both.map(|(one, other)| one.idle + other.idle),
        },
    }
}
