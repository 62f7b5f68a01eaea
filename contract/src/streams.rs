//! Names and settings of the JetStream streams, consumers and subjects, declared once.

use super::{Lane, Stage};
use std::time::Duration;
use uuid::Uuid;

/// The work queue.
pub const TASKS: &str = "VIDP_TASKS";
/// Results, replayable for [`RESULTS_AGE`].
pub const RESULTS: &str = "VIDP_RESULTS";
/// Undecodable and exhausted messages, with the reason, for [`DEAD_AGE`].
pub const DEAD: &str = "VIDP_DEAD";
/// Every stream.
pub const ALL: [&str; 3] = [TASKS, RESULTS, DEAD];

/// Every result.
pub const RESULT_SUBJECTS: &str = "vidp.results.>";
/// Every dead message.
pub const DEAD_SUBJECTS: &str = "vidp.dead.>";
/// Progress of every job (core NATS).
pub const PROGRESS_SUBJECTS: &str = "vidp.progress.*";
/// Cancellation of every job (core NATS).
pub const CANCEL_SUBJECTS: &str = "vidp.cancel.*";

/// How long results can be replayed.
pub const RESULTS_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long dead messages are kept.
pub const DEAD_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The API's durable consumer of results.
pub const API_CONSUMER: &str = "api";

/// Header of a dead message: why it is dead.
pub const DEAD_REASON_HEADER: &str = "Vidp-Reason";
/// Header of a dead message: the subject it had.
pub const DEAD_SUBJECT_HEADER: &str = "Vidp-Subject";
/// Header of a dead message: how often it had been delivered.
pub const DEAD_DELIVERIES_HEADER: &str = "Vidp-Deliveries";

/// `<stage>-<lane>`: the durable consumer of one queue.
pub fn consumer(stage: Stage, lane: Lane) -> String {
    format!("{stage}-{lane}")
}

/// `vidp.tasks.<stage>.<lane>.*`: what that consumer takes.
pub fn lane_subjects(stage: Stage, lane: Lane) -> String {
    format!("vidp.tasks.{stage}.{lane}.*")
}

/// `vidp.tasks.<stage>.<lane>.<task_id>`: the stream holds one message for each.
pub fn task(stage: Stage, lane: Lane, task_id: Uuid) -> String {
    format!("vidp.tasks.{stage}.{lane}.{task_id}")
}

/// `vidp.results.<stage>.<task_id>`.
pub fn result(stage: Stage, task_id: Uuid) -> String {
    format!("vidp.results.{stage}.{task_id}")
}

/// `vidp.dead.<what>`, where `what` is a stage or `results`.
pub fn dead(what: &str) -> String {
    format!("vidp.dead.{what}")
}

/// `vidp.progress.<job_id>`.
pub fn progress(job_id: Uuid) -> String {
    format!("vidp.progress.{job_id}")
}

/// `vidp.cancel.<job_id>`.
pub fn cancel(job_id: Uuid) -> String {
    format!("vidp.cancel.{job_id}")
}
