//! Names and settings of the JetStream streams, consumers and subjects, declared once.

use super::{Lane, Stage};
use std::time::Duration;
use uuid::Uuid;

/// The stream of tasks: a work queue.
pub const TASKS: &str = "VIDP_TASKS";
/// The stream of results, which can be replayed for [`RESULTS_AGE`].
pub const RESULTS: &str = "VIDP_RESULTS";
/// The stream of dead messages: undecodable or exhausted, each with the reason, stored for [`DEAD_AGE`].
pub const DEAD: &str = "VIDP_DEAD";
/// The stream of offered parts: a work queue. Each offer is stored for [`PARTS_AGE`].
pub const PARTS: &str = "VIDP_PARTS";
/// The names of all streams.
pub const ALL: [&str; 4] = [TASKS, RESULTS, DEAD, PARTS];

/// Subjects of all results.
pub const RESULT_SUBJECTS: &str = "vidp.results.>";
/// Subjects of all dead messages.
pub const DEAD_SUBJECTS: &str = "vidp.dead.>";
/// Subjects of the progress of all jobs (core NATS).
pub const PROGRESS_SUBJECTS: &str = "vidp.progress.*";
/// Subjects of the cancellation of all jobs (core NATS).
pub const CANCEL_SUBJECTS: &str = "vidp.cancel.*";

/// The stage whose tasks have parts.
pub const PARTS_STAGE: Stage = Stage::Scale;
/// Subjects of all offered parts.
pub const PART_SUBJECTS: &str = "vidp.parts.scale.*.*";
/// Beginning of the subject of an offered part.
pub const PARTS_PREFIX: &str = "vidp.parts.";

/// How long results can be replayed.
pub const RESULTS_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long dead messages are stored.
pub const DEAD_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long an offer is stored. The worker of the task makes a part whose offer is gone.
pub const PARTS_AGE: Duration = Duration::from_secs(3600);

/// Name of the API's durable consumer of results.
pub const API_CONSUMER: &str = "api";
/// Name of the durable consumer of offered parts.
pub const PARTS_CONSUMER: &str = "scale-parts";

/// Header of a dead message: the reason.
pub const DEAD_REASON_HEADER: &str = "Vidp-Reason";
/// Header of a dead message: its original subject.
pub const DEAD_SUBJECT_HEADER: &str = "Vidp-Subject";
/// Header of a dead message: the number of its deliveries.
pub const DEAD_DELIVERIES_HEADER: &str = "Vidp-Deliveries";

/// `<stage>-<lane>`: name of the durable consumer of one lane.
pub fn consumer(stage: Stage, lane: Lane) -> String {
    format!("{stage}-{lane}")
}

/// `vidp.tasks.<stage>.<lane>.*`: subjects of the tasks of one lane.
pub fn lane_subjects(stage: Stage, lane: Lane) -> String {
    format!("vidp.tasks.{stage}.{lane}.*")
}

/// `vidp.tasks.<stage>.<lane>.<task_id>`: subject of a task. The stream stores one message for each subject.
pub fn task(stage: Stage, lane: Lane, task_id: Uuid) -> String {
    format!("vidp.tasks.{stage}.{lane}.{task_id}")
}

/// `vidp.parts.<stage>.<task_id>.<plan>-<number>`: subject of an offered part. The stream stores one message for each subject.
pub fn part(task_id: Uuid, plan: &str, number: u32) -> String {
    format!("vidp.parts.{PARTS_STAGE}.{task_id}.{plan}-{number}")
}

/// `vidp.parts.<stage>.<task_id>.*`: subjects of the offered parts of a task.
pub fn parts(task_id: Uuid) -> String {
    format!("vidp.parts.{PARTS_STAGE}.{task_id}.*")
}

/// `vidp.results.<stage>.<task_id>`: subject of a result.
pub fn result(stage: Stage, task_id: Uuid) -> String {
    format!("vidp.results.{stage}.{task_id}")
}

/// `vidp.dead.<what>`: subject of a dead message, where `what` is a stage or `results`.
pub fn dead(what: &str) -> String {
    format!("vidp.dead.{what}")
}

/// `vidp.progress.<job_id>`: subject of the progress of a job.
pub fn progress(job_id: Uuid) -> String {
    format!("vidp.progress.{job_id}")
}

/// `vidp.cancel.<job_id>`: subject of the cancellation of a job.
pub fn cancel(job_id: Uuid) -> String {
    format!("vidp.cancel.{job_id}")
}
