//! `/webhooks/{id}/deliveries`: the log of a webhook's messages, and their replay.

use super::view::{self, DeliveryList, DeliveryView};
use crate::http::{
    cursor,
    extract::{Owned, Params, error_or_none},
    problem::Problem,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use vidp_pipeline::Shared;
use vidp_record::{
    db::Db,
    webhook::{DeliveryState, Webhook},
};

const DELIVERY: &str = "delivery";

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Return only deliveries in this state.
    #[param(example = "failed")]
    state: Option<DeliveryState>,
    /// Deliveries per page. Default: 20.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the previous page.
    #[param(example = "AQGYwqRvC31ejBovTm2LCpE")]
    cursor: Option<String>,
}

/// List the deliveries of a webhook.
///
/// Returns the newest deliveries first, each with its latest attempts. A delivery is stored for 30 days after its end.
#[utoipa::path(
    get, path = "", operation_id = "listDeliveries", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "Id of the webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d"), ListQuery),
    responses((status = 200, description = "A page of deliveries.", body = DeliveryList)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn list(
    State(db): State<Db>,
    Params(query): Params<ListQuery>,
    Owned(webhook): Owned<Webhook>,
) -> Result<Json<DeliveryList>, Problem> {
    let limit = cursor::limit(query.limit)?;
    let behind = query.cursor.as_deref().map(cursor::parse).transpose()?;
    // One item more than the page shows that there is a next page.
    let found = db
        .deliveries_of(&webhook, query.state, behind, i64::from(limit) + 1)
        .await?;
    let (found, next_cursor) = cursor::page(found, limit, |delivery| delivery.id);
    let data = found.into_iter().map(view::delivery).collect();
    Ok(Json(DeliveryList { data, next_cursor }))
}

/// Replay a delivery.
///
/// Sends the same message with the same `webhook-id` again, now and with the complete retry schedule.
#[utoipa::path(
    post, path = "", operation_id = "replayDelivery", tag = "Webhooks",
    params(
        ("id" = Uuid, Path, description = "Id of the webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d"),
        ("delivery_id" = Uuid, Path, description = "Id of the delivery.", example = "0198c2a4-9e0f-7b1a-8d2c-3e4f5a6b7c8d"),
    ),
    responses((status = 202, description = "The delivery, which is pending again.", body = DeliveryView)),
    extensions(("x-problems" = json!(["not_found", "conflict"]))),
)]
pub(crate) async fn replay(
    State(pipeline): State<Shared>,
    Owned(webhook): Owned<Webhook>,
    Path((_, delivery)): Path<(String, String)>,
) -> Result<Response, Problem> {
    if !webhook.enabled {
        return Err(Problem::conflict("the webhook is disabled: enable it first"));
    }
    let delivery: Uuid = delivery.parse().map_err(|_| Problem::none(DELIVERY))?;
    let replayed = pipeline.db.replay_delivery(&webhook, delivery).await;
    let delivery = replayed.map_err(|error| error_or_none(error, DELIVERY))?;
    pipeline.deliveries_due.notify_one();
    Ok((StatusCode::ACCEPTED, Json(view::delivery(delivery))).into_response())
}
