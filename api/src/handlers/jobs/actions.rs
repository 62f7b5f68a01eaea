//! Cancels, retries and deletes a job.

use crate::http::{
    extract::Owned,
    problem::{Code, Problem},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use vidp_pipeline::{Shared, advance, cancel, removal};
use vidp_record::{
    db::Updated,
    job::Job,
    plan,
    time::DateTime,
    view::{self, JobView},
};

/// Cancel a job.
///
/// Ends the job and keeps its finished outputs.
#[utoipa::path(
    post, path = "", operation_id = "cancelJob", tag = "Jobs",
    params(("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 200, description = "The cancelled job.", body = JobView)),
    extensions(("x-problems" = json!(["not_found", "conflict"]))),
)]
pub(crate) async fn cancel(
    State(pipeline): State<Shared>,
    Owned(job): Owned<Job>,
) -> Result<Response, Problem> {
    match cancel::cancel(&pipeline, job.id).await? {
        Updated::Changed(job) => Ok(Json(view::job(&job)).into_response()),
        Updated::Unchanged(job) => Err(Problem::conflict(format!(
            "the job has already ended: it is {}",
            job.status
        ))),
    }
}

/// Retry a job.
///
/// Runs the failed and cancelled stages again. Other stages keep their results. A job can be retried a
/// limited number of times within a day.
#[utoipa::path(
    post, path = "", operation_id = "retryJob", tag = "Jobs",
    params(("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 202, description = "The job, which continues.", body = JobView)),
    extensions(("x-problems" = json!(["not_found", "conflict", "too_many_retries"]))),
)]
pub(crate) async fn retry(
    State(pipeline): State<Shared>,
    Owned(job): Owned<Job>,
) -> Result<Response, Problem> {
    let (per_day, now) = (pipeline.settings.retries_per_day, DateTime::now());
    let change =
        |job: &mut Job| plan::may_retry(job, per_day, now) && plan::retried(job, pipeline.times(), now);
    match advance::update(&pipeline, job.id, change).await? {
        Updated::Changed(job) => Ok((StatusCode::ACCEPTED, Json(view::job(&job))).into_response()),
        Updated::Unchanged(job) if job.status.is_terminal() && !plan::may_retry(&job, per_day, now) => {
            let detail = format!("the job was retried {per_day} times within a day, which is the limit");
            let seconds = plan::seconds_to_retry(&job, now);
            Err(Problem::new(Code::TooManyRetries, detail).after(seconds.max(1)))
        }
        Updated::Unchanged(job) => Err(Problem::conflict(match job.status {
            status if !status.is_terminal() => format!("the job has not ended: it is {status}"),
            _ if job.source.sha256.is_empty() => {
                "the upload was not completed: send the file again".to_owned()
            }
            status => format!("no stage can be retried: the job is {status}"),
        })),
    }
}

/// Delete an ended job.
///
/// Removes the job, its source and all outputs.
#[utoipa::path(
    delete, path = "", operation_id = "deleteJob", tag = "Jobs",
    params(("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 204, description = "The job has been deleted.")),
    extensions(("x-problems" = json!(["not_found", "conflict"]))),
)]
pub(crate) async fn delete(
    State(pipeline): State<Shared>,
    Owned(job): Owned<Job>,
) -> Result<StatusCode, Problem> {
    let tasks = pipeline.tasks.clone();
    // A separate task completes the deletion even when the client disconnects.
    let deletion = tasks.spawn(async move { removal::delete(&pipeline, job.id).await });
    match deletion.await.map_err(Problem::internal)?? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::conflict("the job has not ended: cancel it first")),
    }
}
