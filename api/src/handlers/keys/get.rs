//! `GET /keys/{id}`: one API key.

use super::view::KeyView;
use crate::http::{extract::Owned, problem::Problem};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use vidp_record::api_key::Key;

/// Get a key.
///
/// The secret text of the key is not included.
#[utoipa::path(
    get, path = "", operation_id = "getKey", tag = "Keys",
    params(("id" = Uuid, Path, description = "Id of the key.", example = "0198c2a4-11aa-7c2e-9d3f-5a6b7c8d9e0f")),
    responses((status = 200, description = "The key.", body = KeyView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn get(Owned(key): Owned<Key>) -> Result<Response, Problem> {
    Ok(Json(KeyView::of(&key)).into_response())
}
