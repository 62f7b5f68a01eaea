//! `DELETE /webhooks/{id}`: removes a webhook and its deliveries.

use super::find::no_webhook;
use crate::http::{extract::Owned, problem::Problem};
use axum::{extract::State, http::StatusCode};
use vidp_record::{db::Db, webhook::Webhook};

/// Delete a webhook.
///
/// Also removes its deliveries, including the pending ones.
#[utoipa::path(
    delete, path = "", operation_id = "deleteWebhook", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "Id of the webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d")),
    responses((status = 204, description = "The webhook has been deleted.")),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn delete(
    State(db): State<Db>,
    Owned(webhook): Owned<Webhook>,
) -> Result<StatusCode, Problem> {
    match db.remove_webhook(&webhook.tenant, webhook.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_webhook()),
    }
}
