//! What the API and the workers share.
//!
//! * [`queue`]: NATS JetStream streams, consumers and publishing.
//! * [`store`]: the S3-compatible object store; [`manifest`]: a stage's committed result in it.
//! * [`crash`]: steps at which tests end a process.
//! * [`process`]: child programs, started in one place under limits.
//! * [`config`], [`service`], [`telemetry`], [`metrics`], [`trace`]: settings, probes, logs, figures and traces.

pub mod config;
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

pub use log_once::LogOnce;
