//! A finished attempt becomes the stage's result, exactly once.

use super::lease::Lease;
use crate::{
    contract::{Outcome, Task, TaskResult, keys},
    queue::Queue,
    store::{PutIfAbsent, Store},
};
use anyhow::{Context, Result};
use async_nats::jetstream::AckKind;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between tries to publish a result.
const PUBLISH_PAUSE: Duration = Duration::from_millis(500);

/// The result that an earlier attempt has committed, as the answer to this task.
pub(super) async fn committed(store: &Store, task: &Task) -> Result<Option<TaskResult>> {
    let Some(bytes) = store.read(&keys::manifest(&task.output_prefix)).await? else {
        return Ok(None);
    };
    let result: TaskResult = serde_json::from_slice(&bytes).context("the stage's manifest")?;
    // A retry of the job asks with a new task id; the work is the same.
    Ok(Some(TaskResult {
        task_id: task.task_id,
        ..result
    }))
}

/// Claims the stage for this result; the winner's result comes back, which may be another attempt's.
///
/// This is the fence: an attempt that lost its lease without noticing arrives second here. Failures are not fenced:
/// they leave no outputs, and a retry must be able to succeed.
pub(super) async fn claim(store: &Store, task: &Task, result: TaskResult) -> Result<TaskResult> {
    if let Outcome::Failed { .. } = result.outcome {
        return Ok(result);
    }
    let bytes = serde_json::to_vec(&result)?;
    match store
        .put_if_absent(&keys::manifest(&task.output_prefix), bytes)
        .await?
    {
        PutIfAbsent::Created => Ok(result),
        PutIfAbsent::Exists => committed(store, task)
            .await?
            .context("the winning manifest is gone"),
    }
}

/// Stores the result in the stream, and only then acknowledges the task. Gives up with the lease: the task is then
/// delivered again, and finds the manifest.
pub(super) async fn publish(
    queue: &Queue,
    lease: &Lease,
    lost: &CancellationToken,
    result: &TaskResult,
) -> bool {
    while let Err(error) = queue.publish_result(result).await {
        tracing::debug!(%error, "a result could not be published yet");
        tokio::select! {
            () = tokio::time::sleep(PUBLISH_PAUSE) => {}
            () = lost.cancelled() => return false,
        }
    }
    lease.end(AckKind::Ack).await;
    true
}
