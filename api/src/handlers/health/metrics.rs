//! `GET /metrics`: the metrics of this process and of the pipeline.

use super::dependencies::LIMIT;
use crate::metrics;
use axum::extract::State;
use vidp_common::metrics::Handle;
use vidp_pipeline::Shared;

/// Get the metrics.
///
/// Returns the metrics of this process. Each scrape also reads the metrics of the broker and of the database, so every
/// replica reports the same values for them.
#[utoipa::path(
    get, path = "", operation_id = "getMetrics", tag = "Service",
    responses((status = 200, description = "Prometheus metrics in text format.", body = String,
        example = json!("vidp_queue_depth{stage=\"scale\",lane=\"interactive\"} 3\n"))),
)]
pub(crate) async fn metrics(State(pipeline): State<Shared>, State(handle): State<Handle>) -> String {
    let broker = async {
        let queue = pipeline.queue.is_connected().then(|| pipeline.queue.metrics());
        tokio::time::timeout(LIMIT, queue?).await.ok()?.ok()
    };
    let record = async { tokio::time::timeout(LIMIT, pipeline.db.ages()).await.ok()?.ok() };
    let (broker, record) = tokio::join!(broker, record);
    metrics::broker(broker.as_ref());
    metrics::record(record.as_ref());
    handle.render()
}
