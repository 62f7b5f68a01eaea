//! Publishes tasks and marks them as sent in the record.

use crate::{Pipeline, quiet};
use vidp_common::{crash, queue::QueueError};
use vidp_contract::{Stage, Task};
use vidp_record::{job::Job, plan};

/// Publishes the tasks of these stages. A task that cannot be published stays pending, and the sweeper retries it.
///
/// The caller must hold the claim: it stored the change that made the stages due, or it is the sweeper and claimed
/// them.
pub(crate) async fn publish(pipeline: &Pipeline, job: &Job, stages: &[Stage]) {
    for stage in stages {
        if let Err(error) = publish_one(pipeline, job, *stage).await {
            let trace = job.trace();
            tracing::warn!(job = %job.id, %stage, trace_id = trace.trace_id(), "a task could not be published yet: {error:#}");
        }
    }
}

/// Queues the task of a stage again, made from the record. Returns false when the task is queued already.
pub async fn requeue(pipeline: &Pipeline, job: &Job, stage: Stage) -> Result<bool, QueueError> {
    match task(pipeline, job, stage) {
        Some(task) => pipeline.queue.publish_task(job.lane, &task, &job.trace()).await,
        None => Ok(false),
    }
}

fn task(pipeline: &Pipeline, job: &Job, stage: Stage) -> Option<Task> {
    let settings = &pipeline.settings;
    let bucket = pipeline.store.bucket();
    plan::task(job, stage, bucket, settings.attempt_limit, settings.deadline)
}

async fn publish_one(pipeline: &Pipeline, job: &Job, stage: Stage) -> anyhow::Result<()> {
    let Some(task) = task(pipeline, job, stage) else {
        return Ok(());
    };
    pipeline.queue.publish_task(job.lane, &task, &job.trace()).await?;
    crash::step("task.published");
    quiet::sent(pipeline, job.id, stage, task.task_id).await?;
    crash::step("task.sent");
    Ok(())
}
