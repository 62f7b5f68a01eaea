//! One stage in the job document.

use super::status::StageStatus;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::{Output, Timings};

/// One stage of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageState {
    pub status: StageStatus,
    /// The task that may change this stage; a retry gets a new one.
    #[serde(with = "uuid::serde::hyphenated")]
    pub task_id: Uuid,
    pub attempt: u32,
    pub progress: f64,
    pub phase: Option<String>,
    pub speed: Option<f64>,
    pub error: Option<StageError>,
    pub result: Option<Value>,
    pub outputs: Vec<Output>,
    pub timings: Option<Timings>,
    pub worker: Option<String>,
    pub queued_at: Option<DateTime>,
    pub started_at: Option<DateTime>,
    pub finished_at: Option<DateTime>,
    /// Present while the stage is with the queue: this document is the outbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch: Option<Dispatch>,
}

/// Why a stage failed or was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageError {
    /// A failure or skip code of the contract.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

/// Where a stage's task is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dispatch {
    pub state: DispatchState,
    /// When the sweeper looks at it.
    pub next_at: DateTime,
}

/// Whether the task has been published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchState {
    /// To be published.
    Pending,
    /// The broker has stored it.
    Sent,
}

impl StageState {
    /// A stage that has not begun.
    pub fn waiting() -> Self {
        StageState {
            status: StageStatus::Waiting,
            task_id: Uuid::now_v7(),
            attempt: 0,
            progress: 0.0,
            phase: None,
            speed: None,
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
