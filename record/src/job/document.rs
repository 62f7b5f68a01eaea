//! The document of one job.

use super::{
    event::{Announcement, LastEvent},
    stage::{GrowingStream, StageState},
    status::JobStatus,
};
use crate::{
    search::fold,
    source::{Direct, Fetch, SourceState},
    tenant::LOCAL_TENANT,
};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;
use vidp_contract::{JobOptions, Lane, OutputFile, Stage, TraceParent};

/// A job: one video and the stages that process it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// UUIDv7, so that ids sort by time of creation.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Revision. Every update is a compare-and-set on it.
    pub rev: i64,
    /// Owner of the job; other tenants cannot see it. Never changes.
    #[serde(default = "local_tenant")]
    pub tenant: String,
    /// The latest change that is visible to clients.
    #[serde(default)]
    pub event: LastEvent,
    /// Status of the whole job; it follows from the stages.
    pub status: JobStatus,
    /// The requested stages only.
    pub stages: BTreeMap<Stage, StageState>,
    /// The source file.
    pub source: SourceState,
    /// Bytes that count for the tenant's quota: [`Job::holding`] at the last change. Its index makes their sum cheap.
    #[serde(default)]
    pub held: i64,
    /// The file name and the client's own id in the form for searches ([`fold`]). Documents of earlier releases have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Present while the source is still to be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<Fetch>,
    /// Options that the client requested.
    pub options: JobOptions,
    /// Present while the client sends the source to the object store itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<Direct>,
    /// Priority lane of the job's tasks.
    pub lane: Lane,
    /// Id of the batch that created the job.
    pub batch_id: Option<String>,
    /// The client's own id of the video.
    pub external_id: Option<String>,
    /// The client's own data, returned unchanged.
    pub metadata: Map<String, Value>,
    /// The client's idempotency key, unique within the tenant. Cleared when the job ends without a source.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the creating request, if it had an idempotency key; set when the upload is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<String>,
    /// Span of the upload, the parent of the job's other spans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
    /// Time of creation.
    pub created_at: DateTime,
    /// Time of the latest change, or of the latest heartbeat of the upload.
    pub updated_at: DateTime,
    /// Outbox entry for webhooks: set when the job ends, cleared when the deliveries are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<Announcement>,
    /// Key that signs the job's playback grants: 32 random bytes in hexadecimal. Absent before the first grant and after a revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playback_key: Option<String>,
    /// Count of recent retries; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// Time at which the sweeper deletes the job and its objects; set when the job ends.
    pub expires_at: Option<DateTime>,
    /// Time of the cleanup of losing attempts' objects; set when the job ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tidy_at: Option<DateTime>,
    /// Time of the deletion or expiry. From then on clients cannot see the job.
    ///
    /// The document stays for some minutes as a tombstone, so that objects of a late worker are deleted too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<DateTime>,
}

/// Retries of a job within a day.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Retries {
    /// Time of the first retry that is counted.
    pub since: DateTime,
    /// Number of retries since then.
    pub count: u32,
}

fn local_tenant() -> String {
    LOCAL_TENANT.to_owned()
}

impl Job {
    /// Creates a job whose upload begins.
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
                ..LastEvent::default()
            },
            status: JobStatus::Uploading,
            stages: BTreeMap::new(),
            source: SourceState {
                filename,
                content_type,
                ..SourceState::default()
            },
            held: 0,
            search: Vec::new(),
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
            playback_key: None,
            retries: None,
            expires_at: None,
            tidy_at: None,
            deleted_at: None,
        };
        job.set_options(options);
        job
    }

    /// Returns when the last of the job's stages ended. Internal claims on an ended job do not change it.
    pub fn stages_ended_at(&self) -> Option<DateTime> {
        self.stages.values().filter_map(|stage| stage.finished_at).max()
    }

    /// Sets the fields that only queries read, from the others. Call it before each write.
    pub(crate) fn derive(&mut self) {
        self.held = self.holding();
        let texts = [Some(&self.source.filename), self.external_id.as_ref()];
        self.search = texts.into_iter().flatten().map(|text| fold(text)).collect();
    }

    /// Returns true when the job has a complete stream.
    pub fn has_stream(&self) -> bool {
        let scale = self.stages.get(&Stage::Scale).into_iter();
        scale
            .flat_map(|scale| &scale.outputs)
            .any(|output| output.name == OutputFile::STREAM.name)
    }

    /// Returns the stream that can be played while its film is made, or could be played then.
    pub fn growing_stream(&self) -> Option<&GrowingStream> {
        self.stages.get(&Stage::Scale)?.stream.as_ref()
    }

    /// Returns the bytes that the job has in the object store, or has announced: its source and its outputs.
    ///
    /// A job that ended without a source has none, and a deleted job has nothing.
    pub fn holding(&self) -> i64 {
        if self.deleted_at.is_some() {
            return 0;
        }
        let has_source = self.status == JobStatus::Uploading || !self.source.sha256.is_empty();
        let announced = self.direct.as_ref().map_or(0, |direct| direct.size);
        let source = if has_source {
            self.source.size.max(announced)
        } else {
            0
        };
        let outputs = self.stages.values().flat_map(|stage| &stage.outputs);
        outputs.fold(source, |bytes, output| {
            bytes.saturating_add(i64::try_from(output.size).unwrap_or(i64::MAX))
        })
    }

    /// Returns true when the source's bytes are already at the job's key and need only be read.
    pub fn is_in_place(&self) -> bool {
        let id = self.id.to_string();
        self.source.reference.is_none() && self.source.parts.iter().all(|part| part.upload == id)
    }

    /// Returns the job's trace. Documents of earlier releases have none; theirs is derived from the id.
    pub fn trace(&self) -> TraceParent {
        self.trace.clone().unwrap_or_else(|| TraceParent::of_job(self.id))
    }

    /// Sets the requested options. In a multipart body they may follow the file.
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
