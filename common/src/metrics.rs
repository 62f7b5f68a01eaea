//! Figures of the services, in the Prometheus text format. Every name is declared here.

use crate::contract::Stage;
use anyhow::Result;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
/// Renders the figures as text.
pub use metrics_exporter_prometheus::PrometheusHandle as Handle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use std::{sync::OnceLock, time::Duration};

/// Upper bounds in seconds; a transcode of a long film takes hours.
const TASK_BUCKETS: [f64; 14] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
];

const TASKS: &str = "vidp_tasks_total";
const SECONDS: &str = "vidp_task_seconds";
const RUNNING: &str = "vidp_tasks_running";
const REDELIVERIES: &str = "vidp_redeliveries_total";
const UPLOADS: &str = "vidp_uploads_total";
const UPLOAD_BYTES: &str = "vidp_upload_bytes_total";
const DEAD: &str = "vidp_dead_letters_total";

/// Makes the process's recorder, once. The handle renders the text for `/metrics`.
pub fn install() -> Result<Handle> {
    static INSTALLED: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = INSTALLED.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &TASK_BUCKETS)?
        .install_recorder()?;
    Ok(INSTALLED.get_or_init(|| handle).clone())
}

/// Describes a worker's figures and creates them at zero, so that a rate is right from the first event.
pub fn describe_worker(stage: Stage) {
    let stage = stage.as_str();
    describe_counter!(TASKS, "Tasks ended, by outcome and code");
    describe_histogram!(SECONDS, "Seconds spent in each phase of a task");
    describe_gauge!(RUNNING, "Tasks being worked on now");
    describe_counter!(REDELIVERIES, "Deliveries that were not a task's first");
    describe_counter!(DEAD, "Messages moved to the dead stream");
    for outcome in [
        "succeeded",
        "failed",
        "skipped",
        "cancelled",
        "retried",
        "abandoned",
    ] {
        counter!(TASKS, "stage" => stage, "outcome" => outcome, "code" => "").absolute(0);
    }
    counter!(REDELIVERIES, "stage" => stage).absolute(0);
    counter!(DEAD, "stage" => stage).absolute(0);
    gauge!(RUNNING, "stage" => stage).set(0.0);
}

/// Describes the API's figures and creates them at zero.
pub fn describe_api() {
    describe_counter!(UPLOADS, "Uploads that became a job");
    describe_counter!(UPLOAD_BYTES, "Bytes of uploads that became a job");
    counter!(UPLOADS).absolute(0);
    counter!(UPLOAD_BYTES).absolute(0);
}

/// An upload became a job.
pub fn uploaded(bytes: u64) {
    counter!(UPLOADS).increment(1);
    counter!(UPLOAD_BYTES).increment(bytes);
}

/// A task ended.
pub fn task_ended(stage: Stage, outcome: &'static str, code: &'static str) {
    counter!(TASKS, "stage" => stage.as_str(), "outcome" => outcome, "code" => code).increment(1);
}

/// A phase of a task took so long.
pub fn task_phase(stage: Stage, phase: &'static str, time: Duration) {
    histogram!(SECONDS, "stage" => stage.as_str(), "phase" => phase).record(time.as_secs_f64());
}

/// A task was delivered again.
pub fn redelivered(stage: Stage) {
    counter!(REDELIVERIES, "stage" => stage.as_str()).increment(1);
}

/// A message went to the dead stream.
pub fn buried(stage: Stage) {
    counter!(DEAD, "stage" => stage.as_str()).increment(1);
}

/// Counts a task as running until it is dropped.
pub struct Running(Stage);

impl Running {
    /// One more is running.
    pub fn start(stage: Stage) -> Self {
        gauge!(RUNNING, "stage" => stage.as_str()).increment(1.0);
        Running(stage)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        gauge!(RUNNING, "stage" => self.0.as_str()).decrement(1.0);
    }
}
