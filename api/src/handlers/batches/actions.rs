//! Cancels or retries all jobs of a batch. The action continues after the answer.

use super::view::{self, BatchView};
use crate::http::{extract::Owned, problem::Problem};
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use vidp_pipeline::{Shared, batch_actions};
use vidp_record::batch::{ActionKind, Batch};

/// Cancel all jobs of a batch.
///
/// Cancels every job that has not ended, one after another, after the answer.
#[utoipa::path(
    post, path = "", operation_id = "cancelBatch", tag = "Batches",
    params(("id" = Uuid, Path, description = "Id of the batch.", example = "0198c2a4-0c55-7b02-b7a4-91c3d2e4f5a6")),
    responses((status = 202, description = "The batch, with the action in progress.", body = BatchView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn cancel(
    State(pipeline): State<Shared>,
    Owned(batch): Owned<Batch>,
) -> Result<Response, Problem> {
    begin(&pipeline, batch, ActionKind::Cancel).await
}

/// Retry the failed jobs of a batch.
///
/// Retries every failed, partial and cancelled job, one after another, after the answer.
#[utoipa::path(
    post, path = "", operation_id = "retryBatch", tag = "Batches",
    params(("id" = Uuid, Path, description = "Id of the batch.", example = "0198c2a4-0c55-7b02-b7a4-91c3d2e4f5a6")),
    responses((status = 202, description = "The batch, with the action in progress.", body = BatchView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn retry(
    State(pipeline): State<Shared>,
    Owned(batch): Owned<Batch>,
) -> Result<Response, Problem> {
    begin(&pipeline, batch, ActionKind::Retry).await
}

async fn begin(pipeline: &Shared, mut batch: Batch, kind: ActionKind) -> Result<Response, Problem> {
    batch_actions::begin(pipeline, &mut batch, kind).await?;
    let answer = view::batch(&pipeline.db, &batch).await?;
    Ok((StatusCode::ACCEPTED, answer).into_response())
}
