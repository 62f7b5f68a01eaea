//! `GET /dead-letters/{id}`: a dead letter and its message.

use super::view::{self, DeadLetterView};
use crate::http::{extract::Owned, problem::Problem};
use axum::Json;
use vidp_common::queue::DeadLetter;

/// Get a dead letter.
///
/// The answer contains the message in `payload`.
#[utoipa::path(
    get, path = "", operation_id = "getDeadLetter", tag = "Dead letters",
    params(("id" = u64, Path, description = "Id of the dead letter.", example = 17)),
    responses((status = 200, description = "The dead letter with its message.", body = DeadLetterView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn get(Owned(letter): Owned<DeadLetter>) -> Result<Json<DeadLetterView>, Problem> {
    Ok(Json(view::with_payload(&letter)))
}
