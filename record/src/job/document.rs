//! The job document: the record of everything VidP knows about an upload. MongoDB, collection `jobs`.

use super::{
    event::{Announcement, EventKind, LastEvent},
    stage::StageState,
    status::JobStatus,
};
use crate::{
    source::{Direct, Fetch, SourceState},
    tenant::LOCAL_TENANT,
};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;
use vidp_contract::{JobOptions, Lane, Stage, TraceParent};

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
