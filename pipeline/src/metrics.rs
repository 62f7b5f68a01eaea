//! The pipeline's Prometheus metrics. All names are declared here.

use metrics::{counter, describe_counter};
use vidp_contract::Stage;
use vidp_record::job::JobStatus;

const FETCHES: &str = "vidp_fetches_total";
const REPAIRS: &str = "vidp_sweeper_repairs_total";
const JOBS: &str = "vidp_jobs_total";
const WEBHOOKS: &str = "vidp_webhook_attempts_total";
const DELETED_JOBS: &str = "vidp_deleted_jobs_total";
const DELETED_OBJECTS: &str = "vidp_deleted_objects_total";
const DELETED_BYTES: &str = "vidp_deleted_bytes_total";
const REPUBLISHED: &str = "vidp_tasks_republished_total";

/// A repair or cleanup by the sweeper.
#[derive(Clone, Copy, Debug)]
pub enum Repair {
    /// It published a task that was still pending.
    Republished,
    /// It applied a result that was missed.
    ResultApplied,
    /// It failed a stage whose deadline had passed.
    Expired,
    /// It published a lost task again.
    Lost,
    /// It ended an upload without heartbeats or past its expiry.
    UploadAbandoned,
    /// It deleted an expired job.
    Deleted,
    /// It removed the objects of losing attempts.
    Tidied,
    /// It announced a job's end that was not announced yet.
    Announced,
    /// It created a stream or a consumer that had vanished.
    Recreated,
}

/// Outcome of one try of a webhook delivery.
#[derive(Clone, Copy, Debug)]
pub enum Webhook {
    /// The receiver accepted the message.
    Delivered,
    /// The try failed; a retry is scheduled.
    Retried,
    /// The last try failed.
    Failed,
}

impl Webhook {
    const ALL: [Webhook; 3] = [Webhook::Delivered, Webhook::Retried, Webhook::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Webhook::Delivered => "delivered",
            Webhook::Retried => "retried",
            Webhook::Failed => "failed",
        }
    }
}

/// Outcome of one try to fetch a source.
#[derive(Clone, Copy, Debug)]
pub enum FetchOutcome {
    /// The source is stored.
    Fetched,
    /// The try failed; a retry is scheduled.
    Again,
    /// The last try failed.
    Failed,
}

impl FetchOutcome {
    const ALL: [FetchOutcome; 3] = [FetchOutcome::Fetched, FetchOutcome::Again, FetchOutcome::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            FetchOutcome::Fetched => "fetched",
            FetchOutcome::Again => "again",
            FetchOutcome::Failed => "failed",
        }
    }
}

/// Counts a try to fetch a source.
pub fn fetched(outcome: FetchOutcome) {
    counter!(FETCHES, "outcome" => outcome.as_str()).increment(1);
}

impl Repair {
    const ALL: [Repair; 9] = [
        Repair::Republished,
        Repair::ResultApplied,
        Repair::Expired,
        Repair::Lost,
        Repair::UploadAbandoned,
        Repair::Deleted,
        Repair::Tidied,
        Repair::Announced,
        Repair::Recreated,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Repair::Republished => "republished",
            Repair::ResultApplied => "result_applied",
            Repair::Expired => "expired",
            Repair::Lost => "lost",
            Repair::UploadAbandoned => "upload_abandoned",
            Repair::Deleted => "deleted",
            Repair::Tidied => "tidied",
            Repair::Announced => "announced",
            Repair::Recreated => "recreated",
        }
    }
}

/// Counts a repair by the sweeper.
pub fn repaired(kind: Repair) {
    counter!(REPAIRS, "kind" => kind.as_str()).increment(1);
}

/// Counts an ended job.
pub fn job_ended(status: JobStatus) {
    counter!(JOBS, "status" => status.as_str()).increment(1);
}

/// Counts a try of a webhook delivery.
pub fn webhook_tried(outcome: Webhook) {
    counter!(WEBHOOKS, "outcome" => outcome.as_str()).increment(1);
}

/// Counts a deleted job.
pub fn job_deleted() {
    counter!(DELETED_JOBS).increment(1);
}

/// Counts deleted objects and their bytes.
pub fn objects_deleted(objects: u64, bytes: u64) {
    counter!(DELETED_OBJECTS).increment(objects);
    counter!(DELETED_BYTES).increment(bytes);
}

/// Counts a task that is published again.
pub fn republished(stage: Stage) {
    counter!(REPUBLISHED, "stage" => stage.as_str()).increment(1);
}

/// Describes the counters and creates them at zero, so that rates are correct from the first event.
pub fn describe() {
    describe_counter!(
        FETCHES,
        "Tries to fetch the source of a job by reference, by outcome"
    );
    describe_counter!(REPAIRS, "Repairs and cleanups by the sweeper, by kind");
    describe_counter!(JOBS, "Jobs ended, by status");
    describe_counter!(WEBHOOKS, "Tries of webhook deliveries, by outcome");
    describe_counter!(DELETED_JOBS, "Jobs deleted by clients or at their expiry");
    describe_counter!(
        DELETED_OBJECTS,
        "Deleted objects of deleted jobs and of losing attempts"
    );
    describe_counter!(DELETED_BYTES, "Bytes of deleted objects");
    describe_counter!(
        REPUBLISHED,
        "Tasks published again, after an unconfirmed publish or a loss by the broker"
    );
    for outcome in FetchOutcome::ALL {
        counter!(FETCHES, "outcome" => outcome.as_str()).absolute(0);
    }
    for kind in Repair::ALL {
        counter!(REPAIRS, "kind" => kind.as_str()).absolute(0);
    }
    for outcome in Webhook::ALL {
        counter!(WEBHOOKS, "outcome" => outcome.as_str()).absolute(0);
    }
    for status in JobStatus::TERMINAL {
        counter!(JOBS, "status" => status.as_str()).absolute(0);
    }
    for stage in Stage::ALL {
        counter!(REPUBLISHED, "stage" => stage.as_str()).absolute(0);
    }
    for name in [DELETED_JOBS, DELETED_OBJECTS, DELETED_BYTES] {
        counter!(name).absolute(0);
    }
}
