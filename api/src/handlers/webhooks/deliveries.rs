//! The log of a webhook's messages, and sending one again.

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
pub struct ListQuery {
    /// Only those in this state.
    #[param(example = "failed")]
    state: Option<DeliveryState>,
    /// Deliveries on a page; 20 by default.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[param(example = "AQGYwqRvC31ejBovTm2LCpE")]
    cursor: Option<String>,
}

/// List a webhook's deliveries.
///
/// Newest first, each with its latest tries. They are kept for 30 days after their end.
#[utoipa::path(
    get, path = "", operation_id = "listDeliveries", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "The webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d"), ListQuery),
    responses((status = 200, description = "A page.", body = DeliveryList)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn list(
    State(db): State<Db>,
    Params(query): Params<ListQuery>,
    Owned(webhook): Owned<Webhook>,
) -> Result<Json<DeliveryList>, Problem> {
    let limit = cursor::limit(query.limit)?;
    let behind = query.cursor.as_deref().map(cursor::parse).transpose()?;
    // One more tells whether there is a next page.
    let found = db
        .deliveries_of(&webhook, query.state, behind, i64::from(limit) + 1)
        .await?;
    let (found, next_cursor) = cursor::page(found, limit, |delivery| delivery.id);
    let data = found.into_iter().map(view::delivery).collect();
    Ok(Json(DeliveryList { data, next_cursor }))
}

/// Send a delivery again.
///
/// The same message under the same id, now and by the whole schedule.
#[utoipa::path(
    post, path = "", operation_id = "replayDelivery", tag = "Webhooks",
    params(
        ("id" = Uuid, Path, description = "The webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d"),
        ("delivery_id" = Uuid, Path, description = "The delivery.", example = "0198c2a4-9e0f-7b1a-8d2c-3e4f5a6b7c8d"),
    ),
    responses((status = 202, description = "The delivery, on its way.", body = DeliveryView)),
    extensions(("x-problems" = json!(["not_found", "conflict"]))),
)]
pub async fn replay(
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
