//! Infrastructure shared by the API and the workers.
//!
//! * [`queue`]: NATS JetStream streams, consumers and publishing.
//! * [`store`]: the S3-compatible object store; [`manifest`]: the committed result of a stage in it.
//! * [`crash`]: steps at which tests abort a process.
//! * [`process`]: child programs under resource limits.
//! * [`config`], [`service`], [`telemetry`], [`metrics`], [`trace`]: settings, probes, logs, metrics and traces.
//! * [`LogOnce`]: one log line for a row of failures.

pub mod config;
mod counts;
pub mod crash;
mod log_once;
pub mod manifest;
pub mod metrics;
pub mod process;
pub mod queue;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod trace;

pub use counts::{Counted, Counts};
pub use log_once::LogOnce;
