//! `GET /dead-letters`: the dead letters of all tenants.

use super::view::{self, DeadLetterView};
use crate::http::{cursor, extract::Params, problem::Problem};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vidp_common::queue::Queue;

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Dead letters per page. Default: 20.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the previous page.
    #[param(example = "AQAAAAAAAAAAAAAAAAAAABE")]
    cursor: Option<String>,
}

/// A page of dead letters, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetterList {
    /// The dead letters of the page.
    data: Vec<DeadLetterView>,
    /// The `cursor` of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// List dead letters.
///
/// Returns the oldest dead letters first. They are stored for 30 days.
#[utoipa::path(
    get, path = "", operation_id = "listDeadLetters", tag = "Dead letters", params(ListQuery),
    responses((status = 200, description = "A page of dead letters.", body = DeadLetterList)),
)]
pub(crate) async fn list(
    State(queue): State<Queue>,
    Params(query): Params<ListQuery>,
) -> Result<Json<DeadLetterList>, Problem> {
    let limit = cursor::limit(query.limit)?;
    let behind = query.cursor.as_deref().map(cursor::parse).transpose()?;
    // A cursor contains a UUID; here its value is the sequence number of a message.
    let behind = behind.map_or(0, |id| u64::try_from(id.as_u128()).unwrap_or(u64::MAX));
    // One item more than the page shows that there is a next page.
    let found = queue.dead_letters(behind, limit as usize + 1).await?;
    let (found, next_cursor) = cursor::page(found, limit, |letter| Uuid::from_u128(letter.sequence.into()));
    let data = found.iter().map(view::summary).collect();
    Ok(Json(DeadLetterList { data, next_cursor }))
}
