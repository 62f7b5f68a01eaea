//! `GET /metrics`: the metrics of this process and of the pipeline.

use super::dependencies::LIMIT;
use crate::metrics;
use axum::extract::State;
use vidp_common::metrics::Handle;
use vidp_pipeline::Shared;

/// Returns the metrics of this process in the text format of Prometheus. Each scrape also reads the metrics of the broker and
/// of the database, so every replica reports the same values for them.
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
