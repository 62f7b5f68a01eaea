//! A finished attempt becomes the stage's result, exactly once.

use super::lease::Lease;
use anyhow::{Context, Result};
use async_nats::jetstream::AckKind;
use std::time::Duration;
use vidp_common::{
    crash, manifest,
    queue::Queue,
    store::{PutIfAbsent, Store},
};
use vidp_contract::{FailureCode, Outcome, Task, TaskResult, TraceParent, keys};

/// Pause between tries to publish a result.
const PUBLISH_PAUSE: Duration = Duration::from_millis(500);

/// Claims the stage for this result; the winner's result comes back, which may be another attempt's.
///
/// This is the fence: an attempt that lost its lease without noticing arrives second here. Failures are not fenced:
/// they leave no outputs, and a retry must be able to succeed.
pub(super) async fn claim(store: &Store, task: &Task, result: &TaskResult) -> Result<TaskResult> {
    if let Outcome::Failed { .. } = result.outcome {
        return Ok(result.clone());
    }
    let bytes = serde_json::to_vec(result)?;
    match store
        .put_if_absent(&keys::manifest(&task.output_prefix), bytes)
        .await?
    {
        PutIfAbsent::Created => {
            crash::step("commit.claimed");
            Ok(result.clone())
        }
        PutIfAbsent::Exists => manifest::read(store, &task.output_prefix, task.task_id)
            .await?
            .context("the winning manifest is gone"),
    }
}

/// Stores the result in the stream, and only then acknowledges the task; false when the lease was lost before. The
/// task is then delivered again, and finds the manifest.
pub(super) async fn publish(
    queue: &Queue,
    lease: &Lease,
    trace: &TraceParent,
    mut result: TaskResult,
) -> bool {
    while lease.holds() {
        match queue.publish_result(&result, trace).await {
            Ok(()) => {
                crash::step("commit.published");
                lease.end(AckKind::Ack).await;
                crash::step("commit.acknowledged");
                return true;
            }
            Err(error) if error.is_too_large() => {
                tracing::error!("a result is larger than the broker takes: {error}");
                result.outcome = Outcome::Failed {
                    code: FailureCode::Internal,
                    detail: "the result is too large to be told".to_owned(),
                };
            }
            Err(error) => {
                tracing::debug!(%error, "a result could not be published yet");
                tokio::time::sleep(PUBLISH_PAUSE).await;
            }
        }
    }
    false
}
