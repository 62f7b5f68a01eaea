//! The states of stages and jobs.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// `waiting → queued → running → succeeded | failed | skipped | cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// For the upload, or for another stage.
    Waiting,
    Queued,
    Running,
    Succeeded,
    Failed,
    /// Nothing to do; not an error.
    Skipped,
    Cancelled,
}

/// `uploading → queued → running → succeeded | partial | failed | cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    Uploading,
    Queued,
    Running,
    Succeeded,
    /// Some stages failed, some did not.
    Partial,
    Failed,
    Cancelled,
}

impl StageStatus {
    /// Never changes again, but for a retry that somebody asks for.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            StageStatus::Succeeded | StageStatus::Failed | StageStatus::Skipped | StageStatus::Cancelled
        )
    }

    /// Its task is with the queue.
    pub fn is_dispatched(self) -> bool {
        matches!(self, StageStatus::Queued | StageStatus::Running)
    }
}

impl JobStatus {
    /// Every one, in the order in which a job goes through them.
    pub const ALL: [JobStatus; 7] = [
        JobStatus::Uploading,
        JobStatus::Queued,
        JobStatus::Running,
        JobStatus::Succeeded,
        JobStatus::Partial,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ];
    /// How a job can end.
    pub const TERMINAL: [JobStatus; 4] = [
        JobStatus::Succeeded,
        JobStatus::Partial,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ];
    /// Those that have not ended.
    pub const OPEN: [JobStatus; 3] = [JobStatus::Uploading, JobStatus::Queued, JobStatus::Running];

    /// Never changes again, but for a retry that somebody asks for.
    pub fn is_terminal(self) -> bool {
        JobStatus::TERMINAL.contains(&self)
    }

    /// The name in documents and URLs.
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
