//! The commit of a finished attempt as the result of its stage, exactly once.

use super::lease::Lease;
use anyhow::{Context, Result};
use async_nats::jetstream::AckKind;
use std::time::Duration;
use vidp_common::{
    crash,
    manifest::{self, Manifest},
    queue::Queue,
    store::{PutIfAbsent, Store},
};
use vidp_contract::{FailureCode, Outcome, Task, TaskResult, Timings, TraceParent, keys};

/// Pause between attempts to publish a result.
const PUBLISH_PAUSE: Duration = Duration::from_millis(500);

/// Detail of a stage whose result cannot be used.
pub(super) const INVALID: &str = "the result of the stage is invalid";

/// Claims the stage for this result and returns the result of the winner, which may be another attempt.
///
/// This is the fence: an attempt that lost its lease without noticing is the second here. Failures are not fenced,
/// because they leave no outputs and a retry must be able to succeed. A result that the record cannot store becomes a
/// failure of VidP, before it is committed.
pub(super) async fn claim(store: &Store, task: &Task, result: &TaskResult) -> Result<TaskResult> {
    if let Outcome::Failed { .. } = result.outcome {
        return Ok(result.clone());
    }
    let (job, stage) = (task.job_id, result.stage);
    if let Err(reason) = result.belongs_to(job, stage).and_then(|()| result.fits()) {
        tracing::error!(reason, "the handler returned an invalid result");
        return Ok(invalid(result));
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
        PutIfAbsent::Exists => {
            let winner = manifest::read(store, job, stage, task.task_id).await?;
            let winner = winner.context("the manifest of the winner no longer exists")?;
            Ok(adopt(winner).unwrap_or_else(|| invalid(result)))
        }
    }
}

/// The failure of a stage whose result cannot be used.
fn invalid(result: &TaskResult) -> TaskResult {
    TaskResult {
        outcome: Outcome::Failed {
            code: FailureCode::Internal,
            detail: INVALID.to_owned(),
        },
        timings: Timings::default(),
        ..result.clone()
    }
}

/// The result in a manifest; `None` when the manifest is invalid, so that the stage fails with [`INVALID`].
pub(super) fn adopt(manifest: Manifest) -> Option<TaskResult> {
    match manifest {
        Manifest::Committed(result) => Some(result),
        Manifest::Invalid { reason, .. } => {
            tracing::error!(reason, "the manifest of the stage is invalid");
            None
        }
    }
}

/// Stores the result in the stream, and only then acknowledges the task.
///
/// Returns false when the lease was lost before. The task is then delivered again, and the next worker finds the manifest.
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
                tracing::error!("a result is larger than the broker accepts: {error}");
                result.outcome = Outcome::Failed {
                    code: FailureCode::Internal,
                    detail: "the result is too large for a message".to_owned(),
                };
            }
            Err(error) => {
                tracing::debug!(%error, "a result could not be published; retrying");
                tokio::time::sleep(PUBLISH_PAUSE).await;
            }
        }
    }
    false
}
