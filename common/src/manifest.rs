//! The committed result of a stage.

use crate::store::{Store, StoreError};
use uuid::Uuid;
use vidp_contract::{Stage, TaskResult, keys};

/// Maximum size of a manifest in bytes; it also fits into a message.
const MAX_MANIFEST: u64 = 1 << 20;

/// A manifest, as found in the store.
#[derive(Debug)]
pub enum Manifest {
    /// The result of the winning attempt, with the id of the current task.
    Committed(TaskResult),
    /// The object is no result of this stage that the record can store. No attempt can replace it.
    Invalid {
        /// Why it is invalid.
        reason: String,
        /// Its bytes; empty when it is too large.
        bytes: Vec<u8>,
    },
}

/// Reads the result that an attempt committed for a stage, and returns it with `task_id`.
///
/// A retry of the job has a new task id, but its work is the same. `None` when no attempt has committed yet.
///
/// # Errors
/// The store failed: a later call may succeed.
pub async fn read(
    store: &Store,
    job_id: Uuid,
    stage: Stage,
    task_id: Uuid,
) -> Result<Option<Manifest>, StoreError> {
    let key = keys::manifest(&keys::stage_prefix(job_id, stage));
    let bytes = match store.read_at_most(&key, MAX_MANIFEST).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error @ StoreError::TooLarge { .. }) => {
            return Ok(Some(Manifest::Invalid {
                reason: error.to_string(),
                bytes: Vec::new(),
            }));
        }
        Err(error) => return Err(error),
    };
    Ok(Some(match check(&bytes, job_id, stage) {
        Ok(result) => Manifest::Committed(TaskResult { task_id, ..result }),
        Err(reason) => Manifest::Invalid {
            reason: format!("{key}: {reason}"),
            bytes,
        },
    }))
}

fn check(bytes: &[u8], job_id: Uuid, stage: Stage) -> Result<TaskResult, String> {
    let result: TaskResult = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    result.belongs_to(job_id, stage)?;
    result.fits()?;
    Ok(result)
}
