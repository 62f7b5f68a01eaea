//! `GET /keys`: the API keys of all tenants, or of one.

use super::view::KeyView;
use crate::http::{extract::Params, problem::Problem};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vidp_record::db::Db;

/// Keys per page.
const PAGE: i64 = 100;

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Return only keys of this tenant.
    #[param(example = "acme")]
    tenant: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(example = "0198c2a4-11aa-7c2e-9d3f-5a6b7c8d9e0f")]
    cursor: Option<Uuid>,
}

/// A page of keys, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeyList)]
struct KeyList<'a> {
    /// The keys of the page.
    data: Vec<KeyView<'a>>,
    /// The `cursor` of the next page; null on the last page.
    next_cursor: Option<Uuid>,
}

/// List keys.
///
/// Returns the newest keys first, including revoked and expired ones. The secret text of a key is not included.
#[utoipa::path(
    get, path = "", operation_id = "listKeys", tag = "Keys", params(ListQuery),
    responses((status = 200, description = "A page of keys.", body = KeyList)),
)]
pub(crate) async fn list(
    State(db): State<Db>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let keys = db.keys(query.tenant, query.cursor, PAGE).await?;
    let next_cursor = keys
        .last()
        .filter(|_| keys.len() as i64 == PAGE)
        .map(|key| key.id);
    let data = keys.iter().map(KeyView::of).collect();
    Ok(Json(KeyList { data, next_cursor }).into_response())
}
