//! `GET /jobs/{id}/outputs`: the outputs so far.

use crate::http::{extract::Owned, problem::Problem};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use vidp_record::{
    job::Job,
    view::{self, OutputView},
};

/// The outputs of a job so far.
#[derive(Serialize, ToSchema)]
pub(crate) struct OutputList<'a> {
    /// The outputs of every stage that has succeeded.
    data: Vec<OutputView<'a>>,
}

/// List the outputs of a job.
///
/// Returns the outputs of the stages that have succeeded, also while other stages run.
#[utoipa::path(
    get, path = "", operation_id = "listOutputs", tag = "Outputs",
    params(("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 200, description = "The outputs so far.", body = OutputList)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn list(Owned(job): Owned<Job>) -> Result<Response, Problem> {
    let data = view::outputs(&job);
    Ok(Json(OutputList { data }).into_response())
}
