//! Events that webhooks receive.

use crate::job::JobStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Type of an event that webhooks receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum EventType {
    /// A job ended; every stage succeeded or was skipped.
    #[serde(rename = "job.succeeded")]
    Succeeded,
    /// A job ended; some stages failed.
    #[serde(rename = "job.partial")]
    Partial,
    /// A job ended; every stage failed.
    #[serde(rename = "job.failed")]
    Failed,
    /// A job was cancelled.
    #[serde(rename = "job.cancelled")]
    Cancelled,
    /// The stream of a running job can be played, while its film is still made.
    #[serde(rename = "job.playable")]
    Playable,
}

impl EventType {
    /// Returns the event of a job that is announced with this status: its end, or the beginning of its stream while it runs.
    pub fn of(status: JobStatus) -> Option<EventType> {
        match status {
            JobStatus::Succeeded => Some(EventType::Succeeded),
            JobStatus::Partial => Some(EventType::Partial),
            JobStatus::Failed => Some(EventType::Failed),
            JobStatus::Cancelled => Some(EventType::Cancelled),
            JobStatus::Running => Some(EventType::Playable),
            JobStatus::Uploading | JobStatus::Queued => None,
        }
    }
}
