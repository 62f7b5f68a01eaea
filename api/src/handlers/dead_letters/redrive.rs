//! `POST /dead-letters/{id}/redrive`: moves a dead letter back to its queue, or retries the job of its task.

use super::view::{self, DeadLetterView};
use crate::{
    auth::Caller,
    http::{extract::Owned, problem::Problem},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use vidp_common::queue::{DeadLetter, Original};
use vidp_contract::Task;
use vidp_pipeline::{Shared, advance, publish};
use vidp_record::{
    db::{DbError, Updated},
    job::{Job, StageStatus},
    plan,
    time::DateTime,
};

/// Move a dead letter back to its queue.
///
/// Removes the dead letter. A result is sent again as it is. A task is made again from its job, which must still wait
/// for it; when its stage has failed, the job is retried instead, as by `POST /jobs/{id}/retry`, which creates a new
/// task. The API refuses a message that it still cannot read, or that does not belong to its queue.
#[utoipa::path(
    post, path = "", operation_id = "redriveDeadLetter", tag = "Dead letters",
    params(("id" = u64, Path, description = "Id of the dead letter.", example = 17)),
    responses((status = 202, description = "The former dead letter, which is queued again.", body = DeadLetterView)),
    extensions(("x-problems" = json!(["not_found", "conflict"]))),
)]
pub(crate) async fn redrive(
    State(pipeline): State<Shared>,
    caller: Caller,
    Owned(letter): Owned<DeadLetter>,
) -> Result<Response, Problem> {
    let (id, answer) = (letter.sequence, view::summary(&letter));
    // A separate task completes the redrive even when the client disconnects.
    let tasks = pipeline.tasks.clone();
    let redriven = tasks.spawn(async move { retry_or_requeue(&pipeline, &letter).await });
    redriven.await.map_err(Problem::internal)??;
    tracing::info!(dead_letter = id, by = caller.key_id, "dead letter redriven");
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

async fn retry_or_requeue(pipeline: &Shared, letter: &DeadLetter) -> Result<(), Problem> {
    let discard = |reason| Problem::conflict(format!("{reason}: discard the dead letter"));
    let task = match letter.original().map_err(discard)? {
        Original::Result(result) => return Ok(pipeline.queue.resend(letter, &result).await?),
        Original::Task(task) => task,
    };
    if let Retry::NotNeeded(job) = retry(pipeline, &task).await?
        && !publish::requeue(pipeline, &job, task.work.stage()).await?
    {
        return Err(discard("the task is already queued".to_owned()));
    }
    pipeline.queue.discard(letter.sequence).await?;
    Ok(())
}

enum Retry {
    /// The job has a new task for the stage. A second redrive finds that task instead of this one.
    Done,
    /// The stage has not failed: the job still waits for this task.
    NotNeeded(Box<Job>),
}

/// Retries the job if the stage of this task has failed. 409 when no job waits for the task.
async fn retry(pipeline: &Shared, task: &Task) -> Result<Retry, Problem> {
    let stage = task.work.stage();
    let status = |job: &Job| {
        let state = job.stages.get(&stage);
        state
            .filter(|state| state.task_id == task.task_id)
            .map(|state| state.status)
    };
    let change = |job: &mut Job| {
        status(job) == Some(StageStatus::Failed) && plan::retried(job, pipeline.times(), DateTime::now())
    };
    let unwanted = || Problem::conflict("no job waits for this task: discard the dead letter");
    match advance::update(pipeline, task.job_id, change).await {
        Ok(Updated::Changed(_)) => Ok(Retry::Done),
        Ok(Updated::Unchanged(job)) => match status(&job) {
            Some(StageStatus::Failed) => Err(Problem::conflict(
                "the task has failed, but its job has not ended: try again when it has",
            )),
            Some(status) if status.is_dispatched() => Ok(Retry::NotNeeded(Box::new(job))),
            _ => Err(unwanted()),
        },
        Err(DbError::NotFound) => Err(unwanted()),
        Err(error) => Err(error.into()),
    }
}
