use super::Stage;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How far a running stage is. Sent on core NATS, about once a second: it may be lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The task that runs.
    pub task_id: Uuid,
    /// The job it belongs to.
    pub job_id: Uuid,
    /// The stage that runs.
    pub stage: Stage,
    /// Which delivery of the task this is, from 1.
    pub attempt: u32,
    /// Share done, 0 to 1; never goes back within an attempt.
    pub progress: f64,
    /// What it is doing, for example `fetch`, `encode`, `transcribe`, `store`.
    pub phase: String,
    /// Seconds of media per second of time, while that has a meaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Which worker: `<host>-<pid>`.
    pub worker: String,
}
