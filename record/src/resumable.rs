//! The record of a resumable upload. MongoDB, collection `files`.

use crate::{
    job::Job,
    source::{Fetch, Pieces},
};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vidp_contract::{JobOptions, TraceParent, keys};

/// An upload that comes in several requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resumable {
    /// UUIDv7; the job's as well.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Whose it is.
    pub tenant: String,
    pub kind: Kind,
    pub state: UploadState,
    /// Bytes that were announced.
    pub size: i64,
    /// Bytes that the store has: whole parts, and a tail that ends here.
    pub offset: i64,
    /// Bytes of every part but the last.
    pub part_size: i64,
    /// Of the multipart upload.
    pub upload_id: String,
    /// SHA-256 of each whole part before the offset, in lower-case hexadecimal; of a complete upload, of every part.
    #[serde(default)]
    pub hashes: Vec<String>,
    /// SHA-256 of the tail.
    #[serde(default)]
    pub tail_sha256: Option<String>,
    /// Requests that have appended so far. The latest alone may go on.
    pub claim: i64,
    /// `Upload-Metadata` as it was sent.
    pub metadata: String,
    pub filename: String,
    pub content_type: String,
    /// Lower-case hexadecimal SHA-256 that the client announced.
    pub wanted_sha256: Option<String>,
    pub options: JobOptions,
    pub created_at: DateTime,
    /// It is given up then; later after each request.
    pub expires_at: DateTime,
    /// When the sweeper finishes it, once all bytes are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_at: Option<DateTime>,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A job.
    Whole,
    /// A part of a job, sent beside others.
    Partial,
    /// A job, of the partial uploads with these ids one after the other.
    Final { parts: Vec<String> },
}

/// How far it is. Goes down the list and never back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// Bytes are missing.
    Open,
    /// All are there; the object is to be made of them, and the job.
    Complete,
    /// The object is there, and the job.
    Done,
    /// Nobody sees it any more; its objects are being removed.
    Gone,
}

impl UploadState {
    /// The name in queries.
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
    /// Whole parts before the offset, and the bytes of the tail after them.
    pub fn parts_and_tail(&self) -> (i64, i64) {
        (self.offset / self.part_size, self.offset % self.part_size)
    }

    /// The tail that ends at this offset.
    pub fn tail_key(&self, offset: i64) -> String {
        keys::tail(self.id, offset.cast_unsigned())
    }

    /// What a complete upload has stored, with the hash of every part.
    pub fn pieces(&self) -> Pieces {
        Pieces {
            upload: self.id.to_string(),
            part_size: self.part_size,
            hashes: self.hashes.clone(),
        }
    }

    /// The job that it becomes: its bytes are read for their hash, or put together, by whoever fetches sources.
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
