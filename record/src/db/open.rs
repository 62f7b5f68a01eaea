//! Counts of a tenant's work and bytes.

use super::client::{Db, DbError};
use async_recursion::async_recursion as boxed;
use mongodb::bson::{Bson, Document};

/// Jobs and bytes of one tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Jobs or upload sessions.
    pub jobs: u64,
    /// Bytes of their files, stored or announced.
    pub bytes: u64,
}

impl Open {
    /// Reads the result of a `$group` with the sums `jobs` and `bytes`; zero without a result.
    pub(super) fn read(group: Option<Document>) -> Open {
        let group = group.unwrap_or_default();
        let sum = |name| match group.get(name) {
            Some(Bson::Int64(sum)) => (*sum).max(0).cast_unsigned(),
            Some(Bson::Int32(sum)) => (*sum).max(0).cast_unsigned().into(),
            // MongoDB changes to doubles beyond the range of integers.
            Some(Bson::Double(sum)) => *sum as u64,
            _ => 0,
        };
        Open {
            jobs: sum("jobs"),
            bytes: sum("bytes"),
        }
    }

    /// Adds two counts.
    pub fn plus(self, other: Open) -> Open {
        Open {
            jobs: self.jobs.saturating_add(other.jobs),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl Db {
    /// Counts a tenant's jobs and uploads that have not ended, with the bytes of their sources.
    #[boxed]
    pub async fn open(&self, tenant: &str) -> Result<Open, DbError> {
        Ok(self
            .open_of(tenant)
            .await?
            .plus(self.open_resumables(tenant).await?))
    }

    /// Counts a tenant's bytes in the object store, with those that uploads have announced: sources, outputs and resumable
    /// uploads.
    #[boxed]
    pub async fn stored(&self, tenant: &str) -> Result<Open, DbError> {
        Ok(self
            .held_of(tenant)
            .await?
            .plus(self.open_resumables(tenant).await?))
    }
}
