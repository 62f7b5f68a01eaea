//! Events of a job: the latest visible change, and the announcement of the end.

use super::status::JobStatus;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The latest change of a job that is visible to clients. Event streams skip all other changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastEvent {
    /// Revision of the document with this change.
    pub rev: i64,
    /// Kind of the change.
    pub kind: EventKind,
    /// True for the change with which the stream of a running job can be played. Not a kind: earlier releases read these documents.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub playable: bool,
}

impl LastEvent {
    /// Returns the event's name in a stream of events.
    pub fn name(self) -> &'static str {
        match self.playable {
            true => "playable",
            false => self.kind.as_str(),
        }
    }
}

/// Kind of a visible change, and the event's name in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The status of the job or of a stage changed.
    #[default]
    Status,
    /// A running stage reported progress.
    Progress,
    /// Anything else changed, for example the metadata.
    Updated,
    /// The job was deleted.
    Deleted,
}

impl EventKind {
    /// Returns the event's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventKind::Status => "status",
            EventKind::Progress => "progress",
            EventKind::Updated => "updated",
            EventKind::Deleted => "deleted",
        }
    }
}

/// Outbox entry: a job's end, or the beginning of its stream, that is not yet announced to webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Id of the message, the same for every webhook.
    #[serde(with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Final status of the job; `Running` for the beginning of its stream.
    pub status: JobStatus,
    /// Time of the announced change.
    pub at: DateTime,
    /// Time from which the sweeper may process the entry.
    pub next_at: DateTime,
}
