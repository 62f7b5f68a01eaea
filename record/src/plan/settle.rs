//! The rules that follow every event: stages that can begin become due, and the job's status follows from its stages.

use super::{
    stage::{pending, skip, skip_code},
    times::Times,
};
use crate::{
    job::{Announcement, Job, JobStatus, StageStatus},
    time::{from_timestamp, later},
};
use mongodb::bson::DateTime;
use std::time::Duration;
use uuid::Uuid;
use vidp_contract::Stage;

/// Makes due what can begin, and draws the job's status from its stages'.
pub(super) fn settle(job: &mut Job, times: Times, now: DateTime) {
    if !matches!(job.status, JobStatus::Uploading | JobStatus::Cancelled) {
        begin_waiting(job, now);
    }
    let status = overall(job);
    if status.is_terminal() {
        job.fetch = None;
        job.direct = None;
    }
    if status.is_terminal() && job.source.sha256.is_empty() {
        // It came to nothing: the client may try again with the same key.
        job.idempotency_key = None;
    }
    if status.is_terminal() && job.expires_at.is_none() {
        let expires_at = expiry(job, now, times);
        job.expires_at = Some(expires_at);
        job.tidy_at = Some(later(now, times.tidy).min(expires_at));
        job.announcement = Some(Announcement {
            id: Uuid::now_v7(),
            status,
            at: now,
            // Told at once by whoever stored it; the sweeper comes when that did not happen.
            next_at: later(now, Duration::from_secs(2)),
        });
    }
    job.status = status;
}

/// When the time of a job is over that has ended then: as its client wants it, as long as the settings allow.
pub(super) fn expiry(job: &Job, ended: DateTime, times: Times) -> DateTime {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let wanted = match (job.options.expires_at, job.options.retention_days) {
        (Some(until), _) => from_timestamp(until),
        (None, Some(days)) => later(ended, DAY * days),
        (None, None) => later(ended, times.retention),
    };
    wanted.min(later(ended, times.max_retention))
}

fn begin_waiting(job: &mut Job, now: DateTime) {
    let needs_detect = job.options.subtitle.language == "auto";
    let detect = job
        .stages
        .get(&Stage::Detect)
        .map(|state| (state.status, skip_code(state)));
    for (stage, state) in &mut job.stages {
        if state.status != StageStatus::Waiting {
            continue;
        }
        match detect {
            Some((status, _)) if *stage == Stage::Subtitle && needs_detect && !status.is_terminal() => {}
            // Without sound or speech there is nothing to write down either.
            Some((StageStatus::Skipped, Some(code))) if *stage == Stage::Subtitle && needs_detect => {
                skip(state, code, now);
            }
            _ => {
                state.status = StageStatus::Queued;
                state.queued_at = Some(now);
                state.dispatch = Some(pending(now));
            }
        }
    }
}

/// The job's status, as its stages' statuses have it.
fn overall(job: &Job) -> JobStatus {
    let any = |wanted: fn(StageStatus) -> bool| job.stages.values().any(|state| wanted(state.status));
    let all = |wanted: fn(StageStatus) -> bool| job.stages.values().all(|state| wanted(state.status));
    match job.status {
        JobStatus::Cancelled => JobStatus::Cancelled,
        JobStatus::Uploading if !all(StageStatus::is_terminal) => JobStatus::Uploading,
        _ if !all(StageStatus::is_terminal) => {
            let begun = |status| !matches!(status, StageStatus::Waiting | StageStatus::Queued);
            if any(begun) {
                JobStatus::Running
            } else {
                JobStatus::Queued
            }
        }
        _ if all(|status| status == StageStatus::Failed) => JobStatus::Failed,
        _ if any(|status| status == StageStatus::Failed) => JobStatus::Partial,
        _ => JobStatus::Succeeded,
    }
}
