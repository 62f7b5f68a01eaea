//! From the record to the queue: what is due in a job document is published and marked as sent.

use crate::{
    app::{App, Shared},
    db::{DbError, Updated},
    job::Job,
    metrics, plan, webhooks,
};
use mongodb::bson::DateTime;
use vidp_common::crash;
use vidp_contract::Stage;

/// Publishes every task that is due. What fails stays pending, and the sweeper comes back to it.
pub async fn publish_due(app: &App, job: &Job) {
    for stage in plan::due(job) {
        if let Err(error) = publish(app, job, stage).await {
            let trace = job.trace();
            tracing::warn!(job = %job.id, %stage, trace_id = trace.trace_id(), "a task could not be published yet: {error:#}");
        }
    }
}

async fn publish(app: &App, job: &Job, stage: Stage) -> anyhow::Result<()> {
    let config = &app.config;
    let task = plan::task(
        job,
        stage,
        app.store.bucket(),
        config.attempt_limit,
        config.deadline(),
    );
    let Some(task) = task else {
        return Ok(());
    };
    app.queue.publish_task(job.lane, &task, &job.trace()).await?;
    crash::step("task.published");
    let mark = |job: &mut Job| plan::sent(job, stage, task.task_id, app.times(), DateTime::now());
    app.db.update(job.id, mark).await?;
    crash::step("task.sent");
    Ok(())
}

/// Changes a job, counts its end, has webhooks told of it, and publishes what became due; that goes on when the caller
/// is dropped.
pub async fn update(
    app: &Shared,
    id: uuid::Uuid,
    mut change: impl FnMut(&mut Job) -> bool,
) -> Result<Updated, DbError> {
    let mut open = false;
    let change = |job: &mut Job| {
        open = !job.status.is_terminal();
        change(job)
    };
    let updated = app.db.update(id, change).await?;
    let Updated::Changed(job) = &updated else {
        return Ok(updated);
    };
    if open && job.status.is_terminal() {
        metrics::job_ended(job.status);
    }
    if job.announcement.is_some() && open {
        let (app, job) = (app.clone(), job.clone());
        app.commits.clone().spawn(async move {
            if let Err(error) = webhooks::announce(&app, &job).await {
                tracing::warn!(job = %job.id, "webhooks are told later: {error:#}");
            }
        });
    }
    if !plan::due(job).is_empty() {
        let (app, job) = (app.clone(), job.clone());
        app.commits
            .clone()
            .spawn(async move { publish_due(&app, &job).await });
    }
    Ok(updated)
}
