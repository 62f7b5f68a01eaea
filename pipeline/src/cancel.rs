//! Cancelling a job: the record decides, and then the queue and the workers hear of it.

use crate::{
    app::Shared,
    db::{DbError, Updated},
    dispatch,
    job::Job,
    plan,
};
use mongodb::bson::DateTime;
use uuid::Uuid;
use vidp_common::{crash, queue::Cancel};

/// Cancels a job; `Unchanged` when it has ended before.
pub async fn cancel(app: &Shared, id: Uuid) -> Result<Updated, DbError> {
    let mut tasks = Vec::new();
    let change = |job: &mut Job| {
        let with_queue = job
            .stages
            .iter()
            .filter(|(_, state)| state.status.is_dispatched());
        tasks = with_queue.map(|(stage, state)| (*stage, state.task_id)).collect();
        plan::cancelled(job, app.times(), DateTime::now())
    };
    let updated = dispatch::update(app, id, change).await?;
    let Updated::Changed(job) = &updated else {
        return Ok(updated);
    };
    crash::step("cancel.recorded");
    tracing::info!(job = %id, "cancelled");
    let (app, lane) = (app.clone(), job.lane);
    // The record decides; what the queue does not hear now is said again when the worker next shows progress.
    app.commits.clone().spawn(async move {
        let cancel = Cancel {
            job_id: id,
            tasks: tasks.iter().map(|(_, task_id)| *task_id).collect(),
        };
        let mut told = app.queue.cancel(&cancel).await;
        for (stage, task_id) in tasks {
            told = told.and(app.queue.remove_task(stage, lane, task_id).await);
        }
        if let Err(error) = told {
            tracing::warn!(job = %id, "the queue did not hear of the cancellation: {error}");
        }
    });
    Ok(updated)
}
