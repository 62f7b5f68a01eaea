//! Probes, Prometheus metrics and the health of the pipeline.

pub(crate) mod cached;
mod dependencies;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod processing;
pub(crate) mod ready;
