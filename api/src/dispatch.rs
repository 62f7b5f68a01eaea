//! From the record to the queue: what is due in a job document is published and marked as sent.

use crate::{
    app::{App, Shared},
    db::{DbError, Updated},
    job::Job,
    plan,
};
use mongodb::bson::DateTime;
use vidp_common::contract::Stage;

/// Publishes every task that is due. What fails stays pending, and the sweeper comes back to it.
pub async fn publish_due(app: &App, job: &Job) {
    for stage in plan::due(job) {
        if let Err(error) = publish(app, job, stage).await {
            tracing::warn!(job = %job.id, %stage, "a task could not be published yet: {error:#}");
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
    app.queue.publish_task(job.lane, &task).await?;
    let mark = |job: &mut Job| plan::sent(job, stage, task.task_id, app.times(), DateTime::now());
    app.db.update(job.id, mark).await?;
    Ok(())
}

/// Changes a job and publishes what that made due; the publishing goes on when the caller is dropped.
pub async fn update(
    app: &Shared,
    id: uuid::Uuid,
    change: impl FnMut(&mut Job) -> bool,
) -> Result<Updated, DbError> {
    let updated = app.db.update(id, change).await?;
    if let Updated::Changed(job) = &updated
        && !plan::due(job).is_empty()
    {
        let (app, job) = (app.clone(), job.clone());
        app.commits
            .clone()
            .spawn(async move { publish_due(&app, &job).await });
    }
    Ok(updated)
}
