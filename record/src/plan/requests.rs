//! What clients request of a job.

use super::{
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

/// A deleted job's document stays for so long: longer than any worker goes on after its cancellation.
const TOMBSTONE_LIFE: Duration = Duration::from_secs(600);

/// Somebody cancels the job. False when it has ended already.
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

/// Somebody wants the failed and cancelled stages tried again. False when there are none, the job still runs, or
/// there is no upload to work on.
pub fn retried(job: &mut Job, times: Times, now: DateTime) -> bool {
    let again = |state: &StageState| matches!(state.status, StageStatus::Failed | StageStatus::Cancelled);
    let any = job.stages.values().any(again);
    let to_fetch = job.source.sha256.is_empty();
    if !job.status.is_terminal() || !any || (to_fetch && job.source.reference.is_none()) {
        return false;
    }
    for state in job.stages.values_mut().filter(|state| again(state)) {
        *state = StageState::waiting();
    }
    job.status = match to_fetch {
        true => JobStatus::Uploading,
        false => JobStatus::Queued,
    };
    job.fetch = to_fetch.then(|| Fetch::new(now));
    job.expires_at = None;
    job.tidy_at = None;
    settle(job, times, now);
    true
}

/// Somebody deletes the job, or its time is over. False while it runs.
pub fn deleted(job: &mut Job, now: DateTime) -> bool {
    if !job.status.is_terminal() {
        return false;
    }
    job.deleted_at = Some(now);
    job.expires_at = Some(later(now, TOMBSTONE_LIFE));
    job.tidy_at = None;
    true
}

/// The client says how long the job is to be kept after its end.
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
        let ended = job.stages.values().filter_map(|stage| stage.finished_at).max();
        job.expires_at = Some(expiry(job, ended.unwrap_or(now), times));
    }
}
