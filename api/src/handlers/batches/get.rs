//! `GET /batches/{id}`: the progress of a batch.

use super::view::{self, BatchView};
use crate::http::{extract::Owned, problem::Problem};
use axum::{extract::State, response::Response};
use vidp_record::{batch::Batch, db::Db};

/// Get a batch.
///
/// Returns the number of jobs by status, the rate at which they end, and the estimated time left. `/jobs?batch_id=`
/// lists the jobs themselves.
#[utoipa::path(
    get, path = "", operation_id = "getBatch", tag = "Batches",
    params(("id" = Uuid, Path, description = "Id of the batch.", example = "0198c2a4-0c55-7b02-b7a4-91c3d2e4f5a6")),
    responses((status = 200, description = "The batch.", body = BatchView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn get(State(db): State<Db>, Owned(batch): Owned<Batch>) -> Result<Response, Problem> {
    view::batch(&db, &batch).await
}
