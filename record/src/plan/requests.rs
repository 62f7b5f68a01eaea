//! Requests of clients.

use super::{
    retries,
    settle::{expiry, settle},
    stage::{end, error},
    times::Times,
};
use crate::{
    job::{Job, JobStatus, StageState, StageStatus},
    source::Fetch,
    time::later,
};
use mongodb::bson::DateTime;
use std::time::Duration;
use vidp_contract::{FailureCode, Timestamp};

/// Retention of a deleted job's document. It is longer than any worker continues after its cancellation.
const TOMBSTONE_RETENTION: Duration = Duration::from_secs(600);

/// Cancels the job. Returns false when it has already ended.
pub fn cancelled(job: &mut Job, times: Times, now: DateTime) -> bool {
    if job.status.is_terminal() {
        return false;
    }
    for state in job
        .stages
        .values_mut()
        .filter(|state| !state.status.is_terminal())
    {
        let error = error(FailureCode::Cancelled.as_str(), "the job was cancelled");
        end(state, StageStatus::Cancelled, Some(error), now);
    }
    job.status = JobStatus::Cancelled;
    settle(job, times, now);
    true
}

/// Retries the failed and cancelled stages with new tasks.
///
/// Returns false when there are no such stages, the job still runs, or its source is missing and cannot be fetched.
pub fn retried(job: &mut Job, times: Times, now: DateTime) -> bool {
    let can_retry = |state: &StageState| matches!(state.status, StageStatus::Failed | StageStatus::Cancelled);
    let any = job.stages.values().any(can_retry);
    let to_fetch = job.source.sha256.is_empty();
    if !job.status.is_terminal() || !any || (to_fetch && job.source.reference.is_none()) {
        return false;
    }
    for state in job.stages.values_mut().filter(|state| can_retry(state)) {
        *state = StageState::waiting();
    }
    job.status = match to_fetch {
        true => JobStatus::Uploading,
        false => JobStatus::Queued,
    };
    job.fetch = to_fetch.then(|| Fetch::new(now));
    job.expires_at = None;
    job.tidy_at = None;
    retries::count(job, now);
    settle(job, times, now);
    true
}

/// Deletes an ended job, on request or at its expiry: the document becomes a tombstone. Returns false while it runs.
pub fn deleted(job: &mut Job, now: DateTime) -> bool {
    if !job.status.is_terminal() {
        return false;
    }
    job.deleted_at = Some(now);
    job.expires_at = Some(later(now, TOMBSTONE_RETENTION));
    job.tidy_at = None;
    true
}

/// Sets the retention that the client requests. For an ended job this changes the expiry.
pub fn set_retention(
    job: &mut Job,
    days: Option<u32>,
    until: Option<Timestamp>,
    times: Times,
    now: DateTime,
) {
    job.options.retention_days = days;
    job.options.expires_at = until;
    if job.status.is_terminal() {
        let ended = job.stages_ended_at();
        job.expires_at = Some(expiry(job, ended.unwrap_or(now), times));
    }
}
