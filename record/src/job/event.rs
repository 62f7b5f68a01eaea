//! What clients and webhooks are told of a job.

use super::status::JobStatus;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A change that clients see: what event streams tell, and when they need not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastEvent {
    /// The document's revision that made it.
    pub rev: i64,
    pub kind: EventKind,
}

/// What kind of change it was; the event's name in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The job, or one of its stages, has another status.
    #[default]
    Status,
    /// A running stage has come further.
    Progress,
    /// Something else, such as its metadata.
    Updated,
    /// Nobody sees the job any more.
    Deleted,
}

impl EventKind {
    /// The event's name.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Status => "status",
            EventKind::Progress => "progress",
            EventKind::Updated => "updated",
            EventKind::Deleted => "deleted",
        }
    }
}

/// A job's end that webhooks are to be told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Names the message.
    #[serde(with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// How the job ended.
    pub status: JobStatus,
    /// When it ended.
    pub at: DateTime,
    /// When the sweeper looks at it.
    pub next_at: DateTime,
}
