//! The committed result of a stage.

use crate::store::Store;
use anyhow::{Context, Result};
use uuid::Uuid;
use vidp_contract::{TaskResult, keys};

/// The result that some attempt has committed below `stage_prefix`, as the answer to `task_id`.
///
/// A retry of the job asks with a new task id; the work is the same.
pub async fn read(store: &Store, stage_prefix: &str, task_id: Uuid) -> Result<Option<TaskResult>> {
    let key = keys::manifest(stage_prefix);
    let Some(bytes) = store.read(&key).await? else {
        return Ok(None);
    };
    let result: TaskResult = serde_json::from_slice(&bytes).context(key)?;
    Ok(Some(TaskResult { task_id, ..result }))
}
