//! `GET /webhooks/{id}`: one webhook.

use super::view::{self, WebhookView};
use crate::http::{extract::Owned, problem::Problem};
use axum::Json;
use vidp_record::webhook::Webhook;

/// Get a webhook.
///
/// The secret is not included.
#[utoipa::path(
    get, path = "", operation_id = "getWebhook", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "Id of the webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d")),
    responses((status = 200, description = "The webhook.", body = WebhookView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn get(Owned(webhook): Owned<Webhook>) -> Result<Json<WebhookView>, Problem> {
    Ok(Json(view::webhook(webhook)))
}
