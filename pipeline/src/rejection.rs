//! Results that cannot be applied: they belong to another task, or the record cannot store them.

use crate::{Shared, advance};
use anyhow::Result;
use async_nats::jetstream::{AckKind, Message};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use uuid::Uuid;
use vidp_common::queue::{Letter, RESULTS_QUEUE};
use vidp_contract::Stage;
use vidp_record::{db::DbError, job::Job, plan, time::DateTime};

/// Pause before the redelivery of a result that could not be applied because of an outage.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Refused messages that are moved to the dead stream at the same time.
const CONCURRENT: usize = 4;
/// Bytes of refused messages that may wait for their turn.
const MAX_WAITING: u32 = 64 << 20;
/// Bytes that a message counts at least.
const MIN_SIZE: u32 = 1 << 10;

/// A message that must not be applied.
pub(crate) struct Refused {
    /// The job, stage and task that the result ends; `None` when the message does not end a task.
    pub(crate) stage: Option<(Uuid, Stage, Uuid)>,
    /// Why it is refused.
    pub(crate) reason: String,
}

/// Moves refused messages to the dead stream in the background, so that a flood delays no result.
pub(crate) struct Refusals {
    room: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Default for Refusals {
    fn default() -> Self {
        Refusals {
            room: Arc::new(Semaphore::new(MAX_WAITING as usize)),
            turns: Arc::new(Semaphore::new(CONCURRENT)),
        }
    }
}

impl Refusals {
    /// Adds a message, which is acknowledged when it is in the dead stream. Waits while too many bytes wait.
    pub(crate) async fn add(&self, pipeline: &Shared, message: Message, refused: Refused) {
        let size = u32::try_from(message.payload.len()).unwrap_or(MAX_WAITING);
        let room = self
            .room
            .clone()
            .acquire_many_owned(size.clamp(MIN_SIZE, MAX_WAITING))
            .await;
        let (turns, pipeline) = (self.turns.clone(), pipeline.clone());
        pipeline.tasks.clone().spawn(async move {
            let _room = room;
            let _turn = turns.acquire_owned().await;
            let refused = refuse(&pipeline, &message, &refused).await;
            acknowledge(&message, refused).await;
        });
    }
}

async fn refuse(pipeline: &Shared, message: &Message, refused: &Refused) -> Result<()> {
    let reason = &refused.reason;
    if let Some(stage) = refused.stage {
        return reject(pipeline, stage, message.into(), reason).await;
    }
    pipeline.queue.bury(RESULTS_QUEUE, message, reason).await?;
    tracing::error!(subject = %message.subject, reason, "a message that is no result of its task was moved to the dead stream");
    Ok(())
}

/// Acknowledges a message that was applied or moved; after an outage it is redelivered.
pub(crate) async fn acknowledge(message: &Message, done: Result<()>) {
    let kind = match done {
        Ok(()) => AckKind::Ack,
        Err(error) => {
            tracing::warn!("a result could not be stored yet; it will be redelivered: {error:#}");
            AckKind::Nak(Some(RETRY_PAUSE))
        }
    };
    // After a lost acknowledgement the result is redelivered and changes nothing.
    if let Err(error) = message.ack_with(kind).await {
        tracing::debug!(%error, "a result was not acknowledged");
    }
}

/// Fails the stage of a result that cannot be stored, and moves its message to the dead stream, once.
///
/// # Errors
/// The record or the broker is down: the caller repeats the call.
pub(crate) async fn reject(
    pipeline: &Shared,
    (job_id, stage, task_id): (Uuid, Stage, Uuid),
    letter: Letter,
    reason: &str,
) -> Result<()> {
    let change = |job: &mut Job| plan::rejected(job, stage, task_id, pipeline.times(), DateTime::now());
    match advance::update(pipeline, job_id, change).await {
        // Also when the stage has ended: a call that was interrupted here is repeated.
        Ok(_) | Err(DbError::NotFound) => {}
        Err(error) if error.is_permanent() => {
            tracing::error!(job = %job_id, %stage, "the job cannot be changed: {error}");
        }
        Err(error) => return Err(error.into()),
    }
    pipeline.queue.bury(RESULTS_QUEUE, letter, reason).await?;
    tracing::error!(job = %job_id, %stage, reason, "a result that cannot be stored was moved to the dead stream");
    Ok(())
}
