use super::{FailureCode, SkipCode, Stage};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How a task ended. Also the content of the stage's `manifest.json` when it succeeded or was skipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task it answers.
    pub task_id: Uuid,
    /// The job it belongs to.
    pub job_id: Uuid,
    /// The stage it ends.
    pub stage: Stage,
    /// Which delivery of the task this was, from 1.
    pub attempt: u32,
    /// Success, failure or skip.
    pub outcome: Outcome,
    /// Where the time went.
    pub timings: Timings,
    /// Which worker answered: `<host>-<pid>`.
    pub worker: String,
}

/// The end of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done; the outputs are in the store.
    Succeeded(Success),
    /// Not done, and trying again would not help.
    Failed {
        /// Stable code.
        code: FailureCode,
        /// A sentence for the person who uploaded the file.
        detail: String,
    },
    /// Nothing to do.
    Skipped {
        /// Stable code.
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

/// What a stage found and made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Success {
    /// Everything stored below the stage's prefix.
    pub outputs: Vec<Output>,
    /// The stage's own report: a [`super::DetectReport`], [`super::ScaleReport`] or [`super::SubtitleReport`].
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
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// Media type.
    pub content_type: String,
}

/// Seconds spent in each phase of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Timings {
    /// Waiting in the queue, from publish to this delivery.
    pub queued: f64,
    /// Reading the source from the store.
    pub fetch: f64,
    /// The work itself.
    pub process: f64,
    /// Writing outputs to the store.
    pub store: f64,
}
