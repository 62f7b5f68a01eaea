//! The committed result of a stage.

use crate::store::Store;
use anyhow::{Context, Result};
use uuid::Uuid;
use vidp_contract::{TaskResult, keys};

/// Reads the result that an attempt committed below `stage_prefix`, and returns it with `task_id`.
///
/// A retry of the job has a new task id, but its work is the same. `None` when no attempt has committed yet.
pub async fn read(store: &Store, stage_prefix: &str, task_id: Uuid) -> Result<Option<TaskResult>> {
    let key = keys::manifest(stage_prefix);
    let Some(bytes) = store.read(&key).await? else {
        return Ok(None);
    };
    let result: TaskResult = serde_json::from_slice(&bytes).context(key)?;
    Ok(Some(TaskResult { task_id, ..result }))
}
