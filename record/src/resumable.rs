//! The document of a resumable upload. MongoDB, collection `files`.

use crate::{
    job::Job,
    source::{Fetch, Pieces},
};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vidp_contract::{JobOptions, TraceParent, keys};

/// A resumable upload: the client sends it in several requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resumable {
    /// UUIDv7; also the id of the resulting job.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Owner of the upload.
    pub tenant: String,
    /// Id of the API key that created the upload; `None` without keys, and in documents of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Result of the upload: a job, or a part of one.
    pub kind: Kind,
    /// Progress of the upload session.
    pub state: UploadState,
    /// Announced size in bytes.
    pub size: i64,
    /// Stored bytes: whole parts, followed by a tail that ends at this offset.
    pub offset: i64,
    /// Bytes of every part but the last.
    pub part_size: i64,
    /// Id of the multipart upload in the object store; empty until it is opened.
    pub upload_id: String,
    /// SHA-256 of each whole part before the offset, in lower-case hexadecimal. Once complete: of every part.
    #[serde(default)]
    pub hashes: Vec<String>,
    /// SHA-256 of the tail, in lower-case hexadecimal.
    #[serde(default)]
    pub tail_sha256: Option<String>,
    /// Number of requests that have appended so far. Only the latest holds the claim.
    pub claim: i64,
    /// `Upload-Metadata` as it was sent.
    pub metadata: String,
    /// File name from the metadata, cleaned.
    pub filename: String,
    /// Content type from the metadata, cleaned.
    pub content_type: String,
    /// SHA-256 that the client announced, in lower-case hexadecimal.
    pub wanted_sha256: Option<String>,
    /// Options of the resulting job.
    pub options: JobOptions,
    /// Time of creation.
    pub created_at: DateTime,
    /// Time at which the upload expires. Each request extends it.
    pub expires_at: DateTime,
    /// Time at which the sweeper finishes a complete upload, unless its request does so first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_at: Option<DateTime>,
}

/// The result of a resumable upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A job.
    Whole,
    /// A part of a job; other parts may be sent at the same time.
    Partial,
    /// A job whose source is the concatenation of partial uploads.
    Final {
        /// Ids of the partial uploads, in order.
        parts: Vec<String>,
    },
}

/// The state of an upload session. It only moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// Bytes are missing.
    Open,
    /// All bytes are stored; the object and the job are not created yet.
    Complete,
    /// The object and the job exist.
    Done,
    /// Removed for clients; the cleanup of its objects runs.
    Gone,
}

impl UploadState {
    /// Returns the name in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            UploadState::Open => "open",
            UploadState::Complete => "complete",
            UploadState::Done => "done",
            UploadState::Gone => "gone",
        }
    }
}

impl Resumable {
    /// Returns the number of whole parts before the offset, and the bytes in the tail after them.
    pub fn parts_and_tail(&self) -> (i64, i64) {
        (self.offset / self.part_size, self.offset % self.part_size)
    }

    /// Returns the object key of the tail that ends at `offset`.
    pub fn tail_key(&self, offset: i64) -> String {
        keys::tail(self.id, offset.cast_unsigned())
    }

    /// Describes the stored parts of a complete upload, with their hashes.
    pub fn pieces(&self) -> Pieces {
        Pieces {
            upload: self.id.to_string(),
            part_size: self.part_size,
            hashes: self.hashes.clone(),
        }
    }

    /// Creates the job of this upload. The fetcher then reads the bytes for their hash, or concatenates the parts.
    pub fn job(&self, parts: Vec<Pieces>, now: DateTime) -> Job {
        let mut job = Job::uploading(
            self.id,
            self.tenant.clone(),
            self.options.clone(),
            self.filename.clone(),
            self.content_type.clone(),
            now,
        );
        job.trace = Some(TraceParent::of_job(self.id));
        job.source.size = self.size;
        job.source.wanted_sha256 = self.wanted_sha256.clone();
        job.source.parts = parts;
        job.fetch = Some(Fetch::new(now));
        job
    }
}
