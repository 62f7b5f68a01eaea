//! Cancellation: the record is changed first, then the queue and the workers are informed.

use crate::{Shared, advance};
use uuid::Uuid;
use vidp_common::{crash, queue::Cancel};
use vidp_record::{
    db::{DbError, Updated},
    job::Job,
    plan,
    time::DateTime,
};

/// Cancels a job. Returns `Unchanged` when it has already ended.
pub async fn cancel(pipeline: &Shared, id: Uuid) -> Result<Updated, DbError> {
    let mut tasks = Vec::new();
    let change = |job: &mut Job| {
        let dispatched = job
            .stages
            .iter()
            .filter(|(_, state)| state.status.is_dispatched());
        tasks = dispatched.map(|(stage, state)| (*stage, state.task_id)).collect();
        plan::cancelled(job, pipeline.times(), DateTime::now())
    };
    let updated = advance::update(pipeline, id, change).await?;
    let Updated::Changed(job) = &updated else {
        return Ok(updated);
    };
    crash::step("cancel.recorded");
    tracing::info!(job = %id, "cancelled");
    if tasks.is_empty() {
        return Ok(updated);
    }
    let (pipeline, lane) = (pipeline.clone(), job.lane);
    // Only the record is authoritative. A lost message is repeated when the worker next reports progress. The workers are
    // informed before the offers of parts are removed: after that they offer no more.
    pipeline.tasks.clone().spawn(async move {
        let cancel = Cancel {
            job_id: id,
            tasks: tasks.iter().map(|(_, task_id)| *task_id).collect(),
        };
        let mut done = pipeline.queue.cancel(&cancel).await;
        for (stage, task_id) in tasks {
            done = done.and(pipeline.queue.remove_task(stage, lane, task_id).await);
        }
        if let Err(error) = done {
            tracing::warn!(job = %id, "the queue did not receive a cancellation; it is repeated at the next progress: {error}");
        }
    });
    Ok(updated)
}
