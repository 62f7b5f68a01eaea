//! A stage within the job document.

use super::status::StageStatus;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::{Output, PartCounts, Timings};

/// One stage of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageState {
    /// Status of the stage.
    pub status: StageStatus,
    /// Id of the only task that may change this stage. A retry creates a new one.
    #[serde(with = "uuid::serde::hyphenated")]
    pub task_id: Uuid,
    /// Number of the latest delivery of the task, from 1; 0 before the first. Failures, deaths of workers and hand-overs each
    /// cause another delivery.
    pub attempt: u32,
    /// Completed share, 0 to 1.
    pub progress: f64,
    /// Current phase of the work, as the worker reports it.
    pub phase: Option<String>,
    /// Seconds of media processed per second.
    pub speed: Option<f64>,
    /// Parts of a running stage that is done in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<PartCounts>,
    /// The stream that can be played while its film is made, and afterwards until the cleanup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<GrowingStream>,
    /// Reason of a failure, skip or cancellation.
    pub error: Option<StageError>,
    /// The worker's report of a success.
    pub result: Option<Value>,
    /// Stored output files.
    pub outputs: Vec<Output>,
    /// Durations that the worker measured.
    pub timings: Option<Timings>,
    /// Name of the latest worker.
    pub worker: Option<String>,
    /// Time at which the stage became due.
    pub queued_at: Option<DateTime>,
    /// Start of the latest attempt.
    pub started_at: Option<DateTime>,
    /// Time of the stage's end.
    pub finished_at: Option<DateTime>,
    /// Outbox entry of the task; present while the task is due or in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch: Option<Dispatch>,
}

/// Parts of a stream that can be played. A worker has stored an index for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrowingStream {
    /// The name of the film's plan, which is a part of the keys of the parts.
    pub plan: String,
    /// The number of parts; 0 after the cleanup has removed them.
    pub parts: u32,
    /// Time at which the first part could be played.
    pub since: DateTime,
}

/// Reason why a stage failed, was skipped or was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageError {
    /// Failure or skip code.
    pub code: String,
    /// Explanation in one sentence.
    pub detail: String,
}

/// Outbox entry of a stage's task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dispatch {
    /// State of the task.
    pub state: DispatchState,
    /// Time from which the sweeper may claim the stage.
    pub next_at: DateTime,
}

/// State of a task in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchState {
    /// Not published yet.
    Pending,
    /// The broker has stored it.
    Sent,
}

impl StageState {
    /// Creates a stage that has not begun.
    pub fn waiting() -> Self {
        StageState {
            status: StageStatus::Waiting,
            task_id: Uuid::now_v7(),
            attempt: 0,
            progress: 0.0,
            phase: None,
            speed: None,
            parts: None,
            stream: None,
            error: None,
            result: None,
            outputs: Vec::new(),
            timings: None,
            worker: None,
            queued_at: None,
            started_at: None,
            finished_at: None,
            dispatch: None,
        }
    }
}
