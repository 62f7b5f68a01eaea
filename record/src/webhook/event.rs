//! The events that webhooks receive.

use crate::job::JobStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum EventType {
    /// A job has ended, and every stage is done or had nothing to do.
    #[serde(rename = "job.succeeded")]
    Succeeded,
    /// A job has ended, and some stages failed.
    #[serde(rename = "job.partial")]
    Partial,
    /// A job has ended, and every stage failed.
    #[serde(rename = "job.failed")]
    Failed,
    /// Somebody cancelled a job.
    #[serde(rename = "job.cancelled")]
    Cancelled,
}

impl EventType {
    /// What a job's end is.
    pub fn of(status: JobStatus) -> Option<EventType> {
        match status {
            JobStatus::Succeeded => Some(EventType::Succeeded),
            JobStatus::Partial => Some(EventType::Partial),
            JobStatus::Failed => Some(EventType::Failed),
            JobStatus::Cancelled => Some(EventType::Cancelled),
            JobStatus::Uploading | JobStatus::Queued | JobStatus::Running => None,
        }
    }
}
