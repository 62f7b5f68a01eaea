//! The destination of an upload's bytes.

use crate::http::problem::Problem;
use axum::body::Bytes;
use sha2::{Digest, Sha256};
use vidp_common::{crash, store::Multipart};
use vidp_contract::hex;
use vidp_record::job::Job;

/// The destination of the bytes.
pub(super) enum Sink {
    /// The object store.
    Store(Box<Multipart>),
    /// No destination: an earlier request with the same idempotency key created a job. The bytes are only hashed, to compare
    /// them with those of that request.
    Compare {
        before: Box<Job>,
        hash: Sha256,
        size: u64,
    },
    /// The upload has been committed, or could not start.
    Closed,
}

impl Sink {
    /// A sink that compares the bytes with those of an earlier job.
    pub(super) fn compare(before: Box<Job>) -> Self {
        Sink::Compare {
            before,
            hash: Sha256::new(),
            size: 0,
        }
    }

    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Problem> {
        match self {
            Sink::Store(upload) => {
                upload.write(bytes).await?;
                crash::step("upload.part");
            }
            Sink::Compare { hash, size, .. } => {
                hash.update(&bytes);
                *size += bytes.len() as u64;
            }
            Sink::Closed => {}
        }
        Ok(())
    }

    /// Bytes written so far.
    pub(super) fn size(&self) -> u64 {
        match self {
            Sink::Store(upload) => upload.size(),
            Sink::Compare { size, .. } => *size,
            Sink::Closed => 0,
        }
    }

    /// SHA-256 of the bytes written so far, in hexadecimal; empty when closed.
    pub(super) fn sha256(&self) -> String {
        match self {
            Sink::Store(upload) => upload.sha256(),
            Sink::Compare { hash, .. } => hex(&hash.clone().finalize()),
            Sink::Closed => String::new(),
        }
    }
}
