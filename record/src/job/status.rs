//! Statuses of stages and jobs.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Status of a stage: `waiting → queued → running → succeeded | failed | skipped | cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// Waits for the upload or for another stage.
    Waiting,
    /// Waits for a worker.
    Queued,
    /// A worker processes it.
    Running,
    /// Ended with a result.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// There was nothing to do; not an error.
    Skipped,
    /// Cancelled with its job.
    Cancelled,
}

/// Status of a job: `uploading → queued → running → succeeded | partial | failed | cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// The source is not complete yet.
    Uploading,
    /// No stage has begun.
    Queued,
    /// At least one stage has begun, and not all have ended.
    Running,
    /// Every stage succeeded or was skipped.
    Succeeded,
    /// Some stages failed, others did not.
    Partial,
    /// Every stage failed.
    Failed,
    /// Cancelled by the client.
    Cancelled,
}

impl StageStatus {
    /// Returns true when the status is final; only a requested retry changes it.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            StageStatus::Succeeded | StageStatus::Failed | StageStatus::Skipped | StageStatus::Cancelled
        )
    }

    /// Returns true when the stage's task is due or in the queue.
    pub fn is_dispatched(self) -> bool {
        matches!(self, StageStatus::Queued | StageStatus::Running)
    }
}

impl JobStatus {
    /// All statuses, in the order in which a job passes through them.
    pub const ALL: [JobStatus; 7] = [
        JobStatus::Uploading,
        JobStatus::Queued,
        JobStatus::Running,
        JobStatus::Succeeded,
        JobStatus::Partial,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ];
    /// Statuses of ended jobs.
    pub const TERMINAL: [JobStatus; 4] = [
        JobStatus::Succeeded,
        JobStatus::Partial,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ];
    /// Statuses of jobs that have not ended.
    pub const OPEN: [JobStatus; 3] = [JobStatus::Uploading, JobStatus::Queued, JobStatus::Running];

    /// Returns true when the status is final; only a requested retry changes it.
    pub fn is_terminal(self) -> bool {
        JobStatus::TERMINAL.contains(&self)
    }

    /// Returns the name in documents and URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Uploading => "uploading",
            JobStatus::Queued => "queued",
            JobStatus::Running => "running",
            JobStatus::Succeeded => "succeeded",
            JobStatus::Partial => "partial",
            JobStatus::Failed => "failed",
            JobStatus::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
