//! The document of a batch: jobs that one request created together. Statuses are in the jobs' own documents.

use crate::time::later;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// A batch of jobs. MongoDB, collection `batches`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// UUIDv7; also the `batch_id` of the batch's jobs.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Owner of the batch.
    pub tenant: String,
    /// Display name.
    pub name: Option<String>,
    /// Time of creation.
    pub created_at: DateTime,
    /// The client's idempotency key of the creating request; unique within the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// SHA-256 of the creating request; set once the whole request was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<String>,
    /// Number of items read so far.
    pub total: u32,
    /// Number of items that created no job.
    pub rejected: u32,
    /// Errors of the first rejected items.
    pub errors: Vec<ItemError>,
    /// True once all items were read. A batch whose request was interrupted stays incomplete, until the client sends it
    /// again with the same idempotency key.
    pub complete: bool,
    /// The running action on all jobs of the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Time at which MongoDB deletes this document; all jobs of the batch have expired by then.
    pub expires_at: DateTime,
}

impl Batch {
    /// Creates an empty batch. `max_retention` is the longest time for which its jobs are stored.
    pub fn new(
        tenant: String,
        name: Option<String>,
        idempotency_key: Option<String>,
        max_retention: Duration,
    ) -> Batch {
        let created_at = DateTime::now();
        Batch {
            id: Uuid::now_v7(),
            tenant,
            name,
            created_at,
            idempotency_key,
            request_hash: None,
            total: 0,
            rejected: 0,
            errors: Vec::new(),
            complete: false,
            action: None,
            expires_at: later(created_at, max_retention),
        }
    }

    /// Derives the job id of the item at `index`.
    ///
    /// It is a UUIDv7 with the batch's time, computed from the batch's id and the index. An item that is sent again
    /// therefore creates no second job, and ids sort in the order of the items.
    pub fn job_id(&self, index: u32) -> Uuid {
        let millis = self.created_at.timestamp_millis();
        let hash = Sha256::new()
            .chain_update(self.id)
            .chain_update(index.to_be_bytes());
        let mut random: [u8; 10] = hash.finalize()[..10].try_into().expect("SHA-256 has 32 bytes");
        // The index fills the first free bits of the UUID: 4, 8 and 6 (RFC 9562, 5.7).
        random[..3].copy_from_slice(&[(index >> 14) as u8, (index >> 6) as u8, index as u8 & 0x3f]);
        uuid::Builder::from_unix_timestamp_millis(millis.unsigned_abs(), &random).into_uuid()
    }
}

/// The error of an item that created no job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemError {
    /// Position of the item in the request, from 0.
    #[schema(minimum = 0)]
    pub index: u32,
    /// Code of the problem.
    pub code: String,
    /// Explanation in one sentence.
    pub detail: String,
}

/// An action on all jobs of a batch. It is stored until it is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Action {
    /// The requested action.
    pub kind: ActionKind,
    /// Time of the request. A retry skips jobs that ended later.
    pub at: DateTime,
    /// End of the claim: from then on another replica may resume the action.
    pub next_at: DateTime,
}

/// The kind of an action on a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Cancel all jobs that have not ended.
    Cancel,
    /// Retry failed, partial and cancelled jobs.
    Retry,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_items_job_has_one_id_in_the_order_of_the_items() {
        let batch = || Batch::new(String::new(), None, None, Duration::ZERO);
        let (one, other) = (batch(), batch());
        let ids: Vec<_> = (0..10_000).map(|index| one.job_id(index)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids[9_999], one.job_id(9_999));
        assert_ne!(ids[7], other.job_id(7));
        assert_eq!(ids[0].get_version_num(), 7);
    }
}
