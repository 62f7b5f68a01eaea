//! Metrics in the Prometheus text format: the recorder, and the metrics of every worker. The API declares its own.

use anyhow::Result;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
/// Renders the metrics as text.
pub use metrics_exporter_prometheus::PrometheusHandle as Handle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use parking_lot::Mutex;
use std::{path::Path, time::Duration};
use vidp_contract::{FailureCode, SkipCode, Stage, streams};

const BUILD: &str = "vidp_build_info";
const TASKS: &str = "vidp_tasks_total";
const PARTS: &str = "vidp_parts_total";
const SECONDS: &str = "vidp_task_seconds";
const RUNNING: &str = "vidp_tasks_running";
const SLOTS: &str = "vidp_worker_slots";
const REDELIVERIES: &str = "vidp_redeliveries_total";
const DEAD: &str = "vidp_dead_letters_total";
const SCRATCH: &str = "vidp_scratch_free_bytes";

/// Upper bounds of the buckets in seconds. A transcode of a long film takes hours.
const TASK_BUCKETS: [f64; 14] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
];
/// Interval at which histograms are aggregated.
const UPKEEP: Duration = Duration::from_secs(5);
/// The timed phases of a task.
const PHASES: [&str; 4] = ["queue", "fetch", "process", "store"];
/// Outcomes of a task that have no code.
const PLAIN_OUTCOMES: [&str; 5] = ["succeeded", "cancelled", "retried", "handed_over", "abandoned"];
/// Outcomes of an offered part.
const PART_OUTCOMES: [&str; 6] = [
    "made",
    "refused",
    "retried",
    "handed_over",
    "unwanted",
    "abandoned",
];
/// The ways in which an earlier delivery of a task ended.
const ENDS: [&str; 4] = ["failed", "died", "advanced", "handed_over"];

/// Installs the recorder of the process and returns the handle that renders `/metrics`. Needs a Tokio runtime.
///
/// `histograms` are the caller's, each with the upper bounds of its buckets. A second call returns the same handle.
pub fn install(histograms: &[(&str, &[f64])]) -> Result<Handle> {
    static INSTALLED: Mutex<Option<Handle>> = Mutex::new(None);
    // The lock is held until the recorder is installed: a process has one, and two callers at once must share it.
    let mut installed = INSTALLED.lock();
    if let Some(handle) = &*installed {
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
    *installed = Some(handle.clone());
    Ok(handle)
}

/// Aggregates the recorded values of histograms. Without scrapes nothing else does, and their memory would grow.
async fn keep_up(handle: Handle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}

/// Describes the metrics of a worker and creates them at zero, so that a rate is right from the first event.
pub fn describe_worker(stage: Stage, slots: usize) {
    let stage = stage.as_str();
    describe_counter!(TASKS, "Tasks ended, by outcome and code");
    describe_counter!(PARTS, "Parts taken from tasks of other workers, by outcome");
    describe_histogram!(SECONDS, "Seconds spent in each phase of a task");
    describe_gauge!(RUNNING, "Tasks that run now");
    describe_gauge!(SLOTS, "Tasks that this worker can run at the same time");
    describe_counter!(
        REDELIVERIES,
        "Deliveries of a task after its first one, by the end of the one before"
    );
    describe_counter!(DEAD, "Messages moved to the dead stream");
    describe_gauge!(SCRATCH, "Bytes free on the volume of the scratch folder");
    let plain = PLAIN_OUTCOMES.map(|outcome| (outcome, ""));
    let failed = FailureCode::ALL.map(|code| ("failed", code.as_str()));
    let skipped = SkipCode::ALL.map(|code| ("skipped", code.as_str()));
    for (outcome, code) in plain.into_iter().chain(failed).chain(skipped) {
        counter!(TASKS, "stage" => stage, "outcome" => outcome, "code" => code).absolute(0);
    }
    if stage == streams::PARTS_STAGE.as_str() {
        for outcome in PART_OUTCOMES {
            counter!(PARTS, "stage" => stage, "outcome" => outcome).absolute(0);
        }
    }
    for phase in PHASES {
        drop(histogram!(SECONDS, "stage" => stage, "phase" => phase));
    }
    for end in ENDS {
        counter!(REDELIVERIES, "stage" => stage, "before" => end).absolute(0);
    }
    counter!(DEAD, "stage" => stage).absolute(0);
    gauge!(RUNNING, "stage" => stage).set(0.0);
    gauge!(SLOTS, "stage" => stage).set(slots as f64);
}

/// Counts a task that ended.
pub fn task_ended(stage: Stage, outcome: &'static str, code: &'static str) {
    counter!(TASKS, "stage" => stage.as_str(), "outcome" => outcome, "code" => code).increment(1);
}

/// Counts an offered part that ended at this worker.
pub fn part_ended(stage: Stage, outcome: &'static str) {
    counter!(PARTS, "stage" => stage.as_str(), "outcome" => outcome).increment(1);
}

/// Records the duration of a phase of a task.
pub fn task_phase(stage: Stage, phase: &'static str, time: Duration) {
    histogram!(SECONDS, "stage" => stage.as_str(), "phase" => phase).record(time.as_secs_f64());
}

/// Counts a repeated delivery of a task; `before` is the end of the delivery before it.
pub fn redelivered(stage: Stage, before: &'static str) {
    counter!(REDELIVERIES, "stage" => stage.as_str(), "before" => before).increment(1);
}

/// Counts a message that was moved to the dead stream.
pub fn buried(stage: Stage) {
    counter!(DEAD, "stage" => stage.as_str()).increment(1);
}

/// Measures and records the free bytes on the volume of the scratch folder.
///
/// Returns `u64::MAX` when the volume cannot be read, so that the worker keeps working.
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
    /// Adds one to the running tasks.
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

#[cfg(test)]
mod tests {
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn callers_at_once_share_the_recorder() {
        let start = std::sync::Arc::new(tokio::sync::Barrier::new(4));
        let callers = (0..4).map(|_| {
            let start = start.clone();
            tokio::spawn(async move {
                start.wait().await;
                super::install(&[]).map(drop)
            })
        });
        for caller in futures_util::future::join_all(callers).await {
            caller.unwrap().unwrap();
        }
    }
}
