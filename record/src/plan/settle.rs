//! Rules that apply after every event: ready stages become due, and the job's status is derived from its stages.

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

/// Claim of the process that stores an announcement. The sweeper announces after this time.
const ANNOUNCE_CLAIM: Duration = Duration::from_secs(2);

/// Time after a job's end for which the parts of its stream stay: a viewer who began while the film was made may still play them.
const PLAYED: Duration = Duration::from_secs(6 * 3600);

/// Makes ready stages due and derives the job's status. Sets expiry, cleanup and announcement when the job ends.
pub(super) fn settle(job: &mut Job, times: Times, now: DateTime) {
    if !matches!(job.status, JobStatus::Uploading | JobStatus::Cancelled) {
        begin_waiting(job, now);
    }
    let status = overall(job);
    // The client of a direct upload can still send bytes to the store, until the cleanup ends the upload there.
    let cleanup = match job.direct {
        Some(_) => Duration::ZERO,
        None if job.growing_stream().is_some() => times.tidy.max(PLAYED),
        None => times.tidy,
    };
    if status.is_terminal() {
        job.fetch = None;
        job.direct = None;
    }
    if status.is_terminal() && job.source.sha256.is_empty() {
        // The job ended without a source, so the client may send the request again with the same key.
        job.idempotency_key = None;
    }
    if status.is_terminal() && job.expires_at.is_none() {
        let expires_at = expiry(job, now, times);
        job.expires_at = Some(expires_at);
        job.tidy_at = Some(later(now, cleanup).min(expires_at));
        announce(job, Uuid::now_v7(), status, now);
    }
    job.status = status;
}

/// Sets the announcement of a job with this status. The end of a job replaces the beginning of its stream.
pub(super) fn announce(job: &mut Job, id: Uuid, status: JobStatus, now: DateTime) {
    job.announcement = Some(Announcement {
        id,
        status,
        at: now,
        next_at: later(now, ANNOUNCE_CLAIM),
    });
}

/// Returns the expiry of a job that ended at `ended`: as its client requested, limited by the settings.
pub(super) fn expiry(job: &Job, ended: DateTime, times: Times) -> DateTime {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let wanted = match (job.options.expires_at, job.options.retention_days) {
        (Some(until), _) => from_timestamp(until),
        (None, Some(days)) => later(ended, DAY * days),
        (None, None) => later(ended, times.retention),
    };
    wanted.min(later(ended, times.max_retention))
}

/// Makes waiting stages due whose inputs are ready.
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
            // Without audio or speech there is nothing to transcribe either.
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

/// Derives the job's status from the statuses of its stages.
fn overall(job: &Job) -> JobStatus {
    let any = |wanted: fn(StageStatus) -> bool| job.stages.values().any(|state| wanted(state.status));
    let all = |wanted: fn(StageStatus) -> bool| job.stages.values().all(|state| wanted(state.status));
    match job.status {
        JobStatus::Cancelled => JobStatus::Cancelled,
        JobStatus::Uploading if !all(StageStatus::is_terminal) => JobStatus::Uploading,
        _ if !all(StageStatus::is_terminal) => {
            let has_begun = |status| !matches!(status, StageStatus::Waiting | StageStatus::Queued);
            if any(has_begun) {
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
