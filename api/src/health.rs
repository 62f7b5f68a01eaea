//! What probes, Prometheus and operators ask.

use crate::{app::Shared, metrics, problem::Problem};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::time::Duration;
use vidp_common::contract::{Lane, Stage};

/// A dependency that has not answered by then is down, as far as a probe is concerned.
const LIMIT: Duration = Duration::from_secs(3);

/// `GET /health`: the process serves. Never a dependency's state, or its outage would restart every API.
pub async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /ready`: uploads can be taken. That does not need the broker: the record holds tasks until it is back.
pub async fn ready(State(app): State<Shared>) -> Response {
    let (mongodb, s3) = tokio::join!(mongodb(&app), s3(&app));
    let good = mongodb && s3;
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "status": if good { "ready" } else { "not_ready" },
        "dependencies": { "mongodb": up(mongodb), "s3": up(s3), "nats": up(app.queue.is_connected()) },
    });
    (status, Json(body)).into_response()
}

/// `GET /api/v1/processing/health`: every dependency, and every stage with its queue depth.
pub async fn processing(State(app): State<Shared>) -> Result<Json<Value>, Problem> {
    let (mongodb, s3) = tokio::join!(mongodb(&app), s3(&app));
    let nats = app.queue.is_connected();
    let depth = async |stage, lane| match nats {
        true => app.queue.depth(stage, lane).await.ok(),
        false => None,
    };
    let stage = async |stage: Stage| {
        let (interactive, batch) = tokio::join!(depth(stage, Lane::Interactive), depth(stage, Lane::Batch));
        let status = if interactive.is_some() && batch.is_some() {
            "ok"
        } else {
            "unknown"
        };
        json!({ "status": status, "queue_depth": { "interactive": interactive, "batch": batch } })
    };
    let (detect, scale, subtitle) =
        tokio::join!(stage(Stage::Detect), stage(Stage::Scale), stage(Stage::Subtitle));
    let stages = json!({ "detect": detect, "scale": scale, "subtitle": subtitle });
    let good = mongodb && s3 && nats;
    Ok(Json(json!({
        "status": if good { "ok" } else { "degraded" },
        "dependencies": { "mongodb": up(mongodb), "s3": up(s3), "nats": up(nats) },
        "stages": stages,
    })))
}

/// `GET /metrics`: Prometheus text. What the broker and the record know is asked for at every scrape: every replica
/// tells the same.
pub async fn metrics(State(app): State<Shared>) -> String {
    let broker = async {
        let asked = app.queue.is_connected().then(|| app.queue.figures());
        tokio::time::timeout(LIMIT, asked?).await.ok()?.ok()
    };
    let record = async { tokio::time::timeout(LIMIT, app.db.ages()).await.ok()?.ok() };
    let (broker, record) = tokio::join!(broker, record);
    metrics::broker(broker.as_ref());
    metrics::record(record.as_ref());
    app.metrics.render()
}

async fn mongodb(app: &Shared) -> bool {
    matches!(tokio::time::timeout(LIMIT, app.db.ping()).await, Ok(Ok(())))
}

async fn s3(app: &Shared) -> bool {
    matches!(tokio::time::timeout(LIMIT, app.store.check()).await, Ok(Ok(())))
}

fn up(up: bool) -> Value {
    json!({ "status": if up { "up" } else { "down" } })
}
