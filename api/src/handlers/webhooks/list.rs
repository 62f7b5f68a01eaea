//! `GET /webhooks`: the webhooks of a tenant.

use super::view::{self, WebhookList};
use crate::{auth::Caller, http::problem::Problem};
use axum::{Json, extract::State};
use vidp_record::db::Db;

/// List webhooks.
///
/// Returns all webhooks of the tenant on a single page, without their secrets.
#[utoipa::path(
    get, path = "", operation_id = "listWebhooks", tag = "Webhooks",
    responses((status = 200, description = "The webhooks, oldest first.", body = WebhookList)),
)]
pub(crate) async fn list(State(db): State<Db>, caller: Caller) -> Result<Json<WebhookList>, Problem> {
    let webhooks = db.webhooks_of(&caller.tenant).await?;
    let data = webhooks.into_iter().map(view::webhook).collect();
    Ok(Json(WebhookList { data }))
}
