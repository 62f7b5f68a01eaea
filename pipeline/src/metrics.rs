//! The pipeline's metrics for Prometheus. Every name is declared here.

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

/// What the sweeper put right, or cleared away.
#[derive(Clone, Copy, Debug)]
pub enum Repair {
    /// A task that stayed pending was published.
    Republished,
    /// A result that was missed was applied.
    ResultApplied,
    /// A stage passed its deadline.
    Expired,
    /// A task that was nowhere was published again.
    Lost,
    /// An upload without a sign of life was ended.
    UploadAbandoned,
    /// A job at the end of its time was deleted.
    Deleted,
    /// The objects of losing attempts were removed.
    Tidied,
    /// Webhooks were told of a job's end that nobody had told them of.
    Announced,
}

/// What became of a try to tell a webhook.
#[derive(Clone, Copy, Debug)]
pub enum Webhook {
    /// It has the message.
    Delivered,
    /// It will be tried again.
    Retried,
    /// It was given up.
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

/// How one try to fetch a source ended.
#[derive(Clone, Copy, Debug)]
pub enum FetchOutcome {
    /// It is there.
    Fetched,
    /// It is tried again.
    Again,
    /// It is given up.
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

/// A try to fetch a source has ended.
pub fn fetched(outcome: FetchOutcome) {
    counter!(FETCHES, "outcome" => outcome.as_str()).increment(1);
}

impl Repair {
    const ALL: [Repair; 8] = [
        Repair::Republished,
        Repair::ResultApplied,
        Repair::Expired,
        Repair::Lost,
        Repair::UploadAbandoned,
        Repair::Deleted,
        Repair::Tidied,
        Repair::Announced,
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
        }
    }
}

/// The sweeper did something.
pub fn repaired(kind: Repair) {
    counter!(REPAIRS, "kind" => kind.as_str()).increment(1);
}

/// A job came to its end.
pub fn job_ended(status: JobStatus) {
    counter!(JOBS, "status" => status.as_str()).increment(1);
}

/// A webhook was tried.
pub fn webhook_tried(outcome: Webhook) {
    counter!(WEBHOOKS, "outcome" => outcome.as_str()).increment(1);
}

/// A job was deleted.
pub fn job_deleted() {
    counter!(DELETED_JOBS).increment(1);
}

/// Objects were deleted.
pub fn objects_deleted(objects: u64, bytes: u64) {
    counter!(DELETED_OBJECTS).increment(objects);
    counter!(DELETED_BYTES).increment(bytes);
}

/// Counts a task that is published a second time.
pub fn republished(stage: Stage) {
    counter!(REPUBLISHED, "stage" => stage.as_str()).increment(1);
}

/// Describes the counters and creates them at zero, so that a rate is right from the first event.
pub fn describe() {
    describe_counter!(
        FETCHES,
        "Tries to fetch the source of a job by reference, by outcome"
    );
    describe_counter!(REPAIRS, "What the sweeper put right or cleared away");
    describe_counter!(JOBS, "Jobs ended, by status");
    describe_counter!(WEBHOOKS, "Tries to tell a webhook of a job's end, by outcome");
    describe_counter!(
        DELETED_JOBS,
        "Jobs deleted, by a client or at the end of their time"
    );
    describe_counter!(
        DELETED_OBJECTS,
        "Objects deleted, of deleted jobs and of losing attempts"
    );
    describe_counter!(DELETED_BYTES, "Bytes of deleted objects");
    describe_counter!(
        REPUBLISHED,
        "Tasks published again: their first publish was not confirmed, or the broker lost them"
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
