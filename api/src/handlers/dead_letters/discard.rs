//! `DELETE /dead-letters/{id}`: discards a dead letter.

use super::find::{no_dead_letter, parse_id};
use crate::{auth::Caller, http::problem::Problem};
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use vidp_common::queue::Queue;

/// Discard a dead letter.
///
/// The message is deleted permanently.
#[utoipa::path(
    delete, path = "", operation_id = "discardDeadLetter", tag = "Dead letters",
    params(("id" = u64, Path, description = "Id of the dead letter.", example = 17)),
    responses((status = 204, description = "The dead letter has been deleted.")),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn discard(
    State(queue): State<Queue>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = parse_id(&id)?;
    if !queue.discard(id).await? {
        return Err(no_dead_letter());
    }
    tracing::info!(dead_letter = id, by = caller.key_id, "dead letter discarded");
    Ok(StatusCode::NO_CONTENT)
}
