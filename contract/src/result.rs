use super::{FailureCode, SkipCode, Stage, check::bounded};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Result of a task. A result that succeeded or was skipped is also the content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task that ended.
    pub task_id: Uuid,
    /// The job it belongs to.
    pub job_id: Uuid,
    /// The stage that ended.
    pub stage: Stage,
    /// Number of the task's delivery, from 1. Failures, deaths of workers and hand-overs each cause another delivery.
    pub attempt: u32,
    /// Success, failure or skip.
    pub outcome: Outcome,
    /// Seconds spent in each phase.
    pub timings: Timings,
    /// Name of the worker that did the work: `<host>-<pid>`.
    pub worker: String,
}

/// Outcome of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The stage succeeded; its outputs are in the store.
    Succeeded(Success),
    /// The stage failed, and a retry would fail too.
    Failed {
        /// The stable code.
        code: FailureCode,
        /// A sentence for the person who uploaded the file.
        detail: String,
    },
    /// The stage had nothing to do.
    Skipped {
        /// The stable code.
        code: SkipCode,
    },
}

impl Outcome {
    /// `succeeded`, `failed` or `skipped`.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Succeeded(_) => "succeeded",
            Outcome::Failed { .. } => "failed",
            Outcome::Skipped { .. } => "skipped",
        }
    }

    /// The failure or skip code; empty for a success.
    pub const fn code(&self) -> &'static str {
        match self {
            Outcome::Succeeded(_) => "",
            Outcome::Failed { code, .. } => code.as_str(),
            Outcome::Skipped { code } => code.as_str(),
        }
    }
}

/// Outputs and report of a stage that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Success {
    /// The objects that the attempt stored below the stage's prefix.
    pub outputs: Vec<Output>,
    /// The report of the stage: a [`super::DetectReport`], [`super::ScaleReport`] or [`super::SubtitleReport`].
    #[serde(flatten)]
    pub report: serde_json::Map<String, serde_json::Value>,
}

/// One stored object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// File name, fixed per stage, for example `720p.mp4`.
    pub name: String,
    /// Object key.
    pub key: String,
    /// Size in bytes.
    #[serde(serialize_with = "bounded::whole")]
    pub size: u64,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// Media type of the object.
    pub content_type: String,
}

/// Seconds spent in each phase of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Timings {
    /// Time in the queue, from the publication to this delivery.
    pub queued: f64,
    /// Time to read the source from the store.
    pub fetch: f64,
    /// Time of the work itself.
    pub process: f64,
    /// Time to write the outputs to the store.
    pub store: f64,
}
