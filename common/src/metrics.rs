//! Figures in the Prometheus text format: the recorder, and the names that every worker has. The API's are its own.

use anyhow::Result;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
/// Renders the figures as text.
pub use metrics_exporter_prometheus::PrometheusHandle as Handle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use std::{path::Path, sync::OnceLock, time::Duration};
use vidp_contract::{FailureCode, SkipCode, Stage};

const BUILD: &str = "vidp_build_info";
const TASKS: &str = "vidp_tasks_total";
const SECONDS: &str = "vidp_task_seconds";
const RUNNING: &str = "vidp_tasks_running";
const SLOTS: &str = "vidp_worker_slots";
const REDELIVERIES: &str = "vidp_redeliveries_total";
const DEAD: &str = "vidp_dead_letters_total";
const SCRATCH: &str = "vidp_scratch_free_bytes";

/// Upper bounds in seconds; a transcode of a long film takes hours.
const TASK_BUCKETS: [f64; 14] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
];
/// How often histograms are summed up.
const UPKEEP: Duration = Duration::from_secs(5);
/// The phases of a task that are timed.
const PHASES: [&str; 4] = ["queue", "fetch", "process", "store"];
/// How a task ends that has no code.
const PLAIN_OUTCOMES: [&str; 4] = ["succeeded", "cancelled", "retried", "abandoned"];

/// Makes the process's recorder, once, inside a runtime. The handle renders the text for `/metrics`.
///
/// `histograms` are those of the caller, each with its buckets' upper bounds.
pub fn install(histograms: &[(&str, &[f64])]) -> Result<Handle> {
    static INSTALLED: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = INSTALLED.get() {
        return Ok(handle.clone());
    }
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in [(SECONDS, TASK_BUCKETS.as_slice())].iter().chain(histograms) {
        builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    tokio::spawn(keep_up(handle.clone()));
    describe_gauge!(BUILD, "1, with the version of the program");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(INSTALLED.get_or_init(|| handle).clone())
}

/// Sums up what histograms have taken in: nothing else does where nobody scrapes, and they would grow.
async fn keep_up(handle: Handle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}

/// Describes a worker's figures and creates them at zero, so that a rate is right from the first event.
pub fn describe_worker(stage: Stage, slots: usize) {
    let stage = stage.as_str();
    describe_counter!(TASKS, "Tasks ended, by outcome and code");
    describe_histogram!(SECONDS, "Seconds spent in each phase of a task");
    describe_gauge!(RUNNING, "Tasks being worked on now");
    describe_gauge!(SLOTS, "Tasks that this worker can work on at the same time");
    describe_counter!(REDELIVERIES, "Deliveries that were not a task's first");
    describe_counter!(DEAD, "Messages moved to the dead stream");
    describe_gauge!(SCRATCH, "Bytes free on the volume of the scratch folder");
    let plain = PLAIN_OUTCOMES.map(|outcome| (outcome, ""));
    let failed = FailureCode::ALL.map(|code| ("failed", code.as_str()));
    let skipped = SkipCode::ALL.map(|code| ("skipped", code.as_str()));
    for (outcome, code) in plain.into_iter().chain(failed).chain(skipped) {
        counter!(TASKS, "stage" => stage, "outcome" => outcome, "code" => code).absolute(0);
    }
    for phase in PHASES {
        drop(histogram!(SECONDS, "stage" => stage, "phase" => phase));
    }
    counter!(REDELIVERIES, "stage" => stage).absolute(0);
    counter!(DEAD, "stage" => stage).absolute(0);
    gauge!(RUNNING, "stage" => stage).set(0.0);
    gauge!(SLOTS, "stage" => stage).set(slots as f64);
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

/// Looks at the room that is left for temporary files; gives the bytes, and all there can be when nobody knows.
pub fn scratch(stage: Stage, folder: &Path) -> u64 {
    let Ok(volume) = rustix::fs::statvfs(folder) else {
        return u64::MAX;
    };
    let room = volume.f_bavail * volume.f_frsize;
    gauge!(SCRATCH, "stage" => stage.as_str()).set(room as f64);
    room
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
