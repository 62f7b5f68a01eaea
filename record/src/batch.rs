//! Many jobs made by one request: what the record knows of them together. The jobs themselves say the rest.

use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// MongoDB, collection `batches`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// UUIDv7; the `batch_id` of its jobs.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    pub tenant: String,
    /// For people.
    pub name: Option<String>,
    pub created_at: DateTime,
    /// The client's key for the request that makes it; unique in the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Of the request; known when all of it has been read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<String>,
    /// Items that were read so far.
    pub total: u32,
    /// Of them, those that made no job.
    pub rejected: u32,
    /// Why the first ones of those did not.
    pub errors: Vec<ItemError>,
    /// All items have been read. One whose client went away in the middle stays as it is, unless it is sent again with
    /// its key.
    pub complete: bool,
    /// What is being done to all of its jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The jobs are gone by then; so is this.
    pub expires_at: DateTime,
}

impl Batch {
    /// One that begins now, without items so far. Its jobs are kept for `kept` at most.
    pub fn new(
        tenant: String,
        name: Option<String>,
        idempotency_key: Option<String>,
        kept: Duration,
    ) -> Batch {
        let created_at = DateTime::now();
        let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
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
            expires_at: DateTime::from_millis(created_at.timestamp_millis().saturating_add(kept)),
        }
    }

    /// The id of the job of one item: a UUIDv7 of the batch's time that follows from the batch and the place, so that an
    /// item which is sent again makes no second job, and jobs are in the order of their items.
    pub fn job_id(&self, index: u32) -> Uuid {
        let millis = self.created_at.timestamp_millis();
        let hash = Sha256::new()
            .chain_update(self.id)
            .chain_update(index.to_be_bytes());
        let mut random: [u8; 10] = hash.finalize()[..10].try_into().expect("a hash has more");
        // Of these bits the upper ones that a UUID leaves free: 4, 8 and 6 (RFC 9562, 5.7).
        random[..3].copy_from_slice(&[(index >> 14) as u8, (index >> 6) as u8, index as u8 & 0x3f]);
        uuid::Builder::from_unix_timestamp_millis(millis.unsigned_abs(), &random).into_uuid()
    }
}

/// Why an item made no job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemError {
    /// Its place, from 0.
    #[schema(minimum = 0)]
    pub index: u32,
    /// The code of a problem.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

/// Something that is done to the jobs of a batch, one after the other: kept until it is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Action {
    pub kind: ActionKind,
    /// When it was asked for: jobs that changed later are left alone.
    pub at: DateTime,
    /// Somebody goes on with it then, if it is not done.
    pub next_at: DateTime,
}

/// What.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// All that have not ended are cancelled.
    Cancel,
    /// Failed, partial and cancelled ones are tried again.
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
