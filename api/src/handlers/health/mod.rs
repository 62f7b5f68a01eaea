//! Probes, Prometheus metrics and the health of the pipeline.

mod dependencies;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod processing;
pub(crate) mod ready;
