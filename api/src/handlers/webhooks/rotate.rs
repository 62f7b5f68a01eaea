//! `POST /webhooks/{id}/rotate`: replaces the secret; both secrets sign during the overlap.

use super::{
    find::problem,
    requested::secret,
    view::{self, WebhookView},
};
use crate::http::{body, extract::Owned, problem::Problem};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;
use vidp_record::{db::Db, time::DateTime, webhook::Webhook};

/// Default time in seconds for which the previous secret also signs.
const OVERLAP: u64 = 24 * 3600;
/// Longest time in seconds for which the previous secret also signs.
const MAX_OVERLAP: u64 = 30 * 24 * 3600;

/// The rotation of a secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SecretRotation)]
pub(crate) struct Rotation {
    /// The new secret: `whsec_` and the base64 of 24 to 64 bytes. Default: a random secret.
    secret: Option<String>,
    /// Seconds for which the previous secret also signs. Default: 86400, a day.
    #[schema(maximum = 2_592_000)]
    overlap_seconds: Option<u64>,
}

/// Rotate the secret of a webhook.
///
/// The previous secret also signs for `overlap_seconds`. Only this answer contains the new secret.
#[utoipa::path(
    post, path = "", operation_id = "rotateWebhookSecret", tag = "Webhooks",
    params(("id" = Uuid, Path, description = "Id of the webhook.", example = "0198c2a4-5d21-7a3b-8c4d-5e6f7a8b9c0d")),
    request_body(content = Option<Rotation>, example = json!({ "overlap_seconds": 3600 })),
    responses((status = 200, description = "The webhook with its new secret.", body = WebhookView)),
    extensions(("x-problems" = json!(["not_found", "unsupported_content_type"]))),
)]
pub(crate) async fn rotate(
    State(db): State<Db>,
    Owned(webhook): Owned<Webhook>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let rotation: Rotation = body::optional_json(&headers, body)?;
    let overlap = rotation.overlap_seconds.unwrap_or(OVERLAP);
    if overlap > MAX_OVERLAP {
        return Err(Problem::invalid(format!(
            "overlap_seconds must be 0 to {MAX_OVERLAP}"
        )));
    }
    let secret = secret(rotation.secret)?;
    let change = |webhook: &mut Webhook| {
        webhook.rotate(secret.clone(), Duration::from_secs(overlap), DateTime::now());
    };
    let updated = db.update_webhook(&webhook.tenant, webhook.id, change).await;
    let webhook = view::with_secret(updated.map_err(problem)?);
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(webhook)).into_response())
}
