//! The job document: the record of everything VidP knows about an upload. MongoDB, collection `jobs`.

use crate::{
    source::{Direct, Fetch, SourceState},
    tenant::LOCAL_TENANT,
};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt};
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::{JobOptions, Lane, Output, Stage, Timings, TraceParent};

/// One upload and what becomes of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// UUIDv7, so that ids sort by the time of creation.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Counts the changes; every update is a compare-and-set on it.
    pub rev: i64,
    /// Whose job it is; nobody else sees it. Never changes.
    #[serde(default = "local_tenant")]
    pub tenant: String,
    /// The latest change that clients see.
    #[serde(default)]
    pub event: LastEvent,
    pub status: JobStatus,
    /// The requested stages and no others.
    pub stages: BTreeMap<Stage, StageState>,
    pub source: SourceState,
    /// Present while the source is still to be fetched from where it is referred to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<Fetch>,
    pub options: JobOptions,
    /// Present while the client sends the source to the store itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<Direct>,
    pub lane: Lane,
    pub batch_id: Option<String>,
    pub external_id: Option<String>,
    pub metadata: Map<String, Value>,
    /// The client's, unique among its tenant's jobs; gone when the upload comes to nothing.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the request that made the job, when it came with a key; known when the upload is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<String>,
    /// The upload's place in the job's trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    /// Set when the job ends, until its webhooks' messages are stored: this document is their outbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<Announcement>,
    /// Set when the job ends: the sweeper deletes job and objects then.
    pub expires_at: Option<DateTime>,
    /// Set when the job ends: the sweeper removes losing attempts' objects then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tidy_at: Option<DateTime>,
    /// Set when somebody deletes the job or it expires: nobody sees it any more. The document stays for a while, so
    /// that what a late worker still writes is found and deleted too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<DateTime>,
}

fn local_tenant() -> String {
    LOCAL_TENANT.to_owned()
}

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

impl Job {
    /// A job whose upload begins.
    pub fn uploading(
        id: Uuid,
        tenant: String,
        options: JobOptions,
        filename: String,
        content_type: String,
        now: DateTime,
    ) -> Self {
        let mut job = Job {
            id,
            rev: 1,
            tenant,
            event: LastEvent {
                rev: 1,
                kind: EventKind::Status,
            },
            status: JobStatus::Uploading,
            stages: BTreeMap::new(),
            source: SourceState {
                filename,
                content_type,
                ..SourceState::default()
            },
            fetch: None,
            direct: None,
            lane: options.lane,
            batch_id: None,
            external_id: None,
            metadata: Map::new(),
            idempotency_key: None,
            request_hash: None,
            trace: None,
            options: JobOptions::default(),
            created_at: now,
            updated_at: now,
            announcement: None,
            expires_at: None,
            tidy_at: None,
            deleted_at: None,
        };
        job.set_options(options);
        job
    }

    /// The source's bytes are where they belong, and have only to be read.
    pub fn is_in_place(&self) -> bool {
        let id = self.id.to_string();
        self.source.reference.is_none() && self.source.parts.iter().all(|part| part.upload == id)
    }

    /// The job's trace; documents of earlier releases have none.
    pub fn trace(&self) -> TraceParent {
        self.trace.clone().unwrap_or_else(|| TraceParent::of_job(self.id))
    }

    /// Takes the next revision, and notes what clients will see of it, if anything: much is the API's own affair.
    pub fn revise(&mut self, before: &Job, now: DateTime) {
        self.rev = before.rev + 1;
        self.updated_at = now;
        if let Some(kind) = self.visible_change(before) {
            self.event = LastEvent { rev: self.rev, kind };
        }
    }

    fn visible_change(&self, before: &Job) -> Option<EventKind> {
        let statuses = |job: &Job| {
            (
                job.status,
                job.stages.values().map(|stage| stage.status).collect::<Vec<_>>(),
            )
        };
        let shares = |job: &Job| {
            let share =
                |stage: &StageState| (stage.attempt, stage.progress, stage.phase.clone(), stage.speed);
            job.stages.values().map(share).collect::<Vec<_>>()
        };
        let others = |job: &Job| (job.metadata.clone(), job.options.clone(), job.expires_at);
        if self.deleted_at != before.deleted_at {
            Some(EventKind::Deleted)
        } else if statuses(self) != statuses(before) {
            Some(EventKind::Status)
        } else if shares(self) != shares(before) {
            Some(EventKind::Progress)
        } else if others(self) != others(before) {
            Some(EventKind::Updated)
        } else {
            None
        }
    }

    /// What the client asks for; in a multipart body it may come after the file.
    pub fn set_options(&mut self, options: JobOptions) {
        self.stages = options
            .stages
            .iter()
            .map(|stage| (*stage, StageState::waiting()))
            .collect();
        self.lane = options.lane;
        self.external_id = options.external_id.clone();
        self.metadata = options.metadata.clone();
        self.options = options;
    }
}
