//! The job's state machine: what each event makes of a job, and what is to be done next. No I/O.
//!
//! Every function changes the job and says whether it did; the caller stores it by compare-and-set. Events that come
//! late, twice or for another task change nothing: terminal states absorb.

pub mod fetch;
mod task;

pub use task::task;

use crate::job::{
    Announcement, Dispatch, DispatchState, Fetch, Job, JobStatus, SourceState, StageError, StageState,
    StageStatus,
};
use mongodb::bson::DateTime;
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;
use vidp_contract::{FailureCode, Outcome, Progress, ScaleReport, SkipCode, Stage, TaskResult, Timestamp};

/// How long a published task may be silent before the sweeper looks for it, when an ended job's losing attempts are
/// removed, and how long it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Silence before a look.
    pub stale: Duration,
    /// Objects of losing attempts are removed this long after the job's end, and only those that are older than that.
    pub tidy: Duration,
    /// Life of an ended job, unless its client wants another.
    pub retention: Duration,
    /// Longest life that a client may want.
    pub max_retention: Duration,
}

/// A deleted job's document stays for so long: longer than any worker goes on after its cancellation.
const BURIAL: Duration = Duration::from_secs(600);
/// A task that waits in the queue is looked for less often than one that is being worked on.
const PATIENCE: u32 = 5;
/// A publish that is not confirmed by then is repeated.
const REPUBLISH_AFTER: Duration = Duration::from_secs(10);

/// The upload is complete: the first tasks become due.
pub fn uploaded(job: &mut Job, source: SourceState, times: Times, now: DateTime) -> bool {
    if job.status != JobStatus::Uploading {
        return false;
    }
    job.source = source;
    job.fetch = None;
    job.status = JobStatus::Queued;
    settle(job, times, now);
    true
}

/// The upload was given up: by the client, or by a process that died.
pub fn abandoned(job: &mut Job, times: Times, now: DateTime) -> bool {
    if job.status != JobStatus::Uploading {
        return false;
    }
    for stage in job.stages.values_mut() {
        let error = error(
            FailureCode::SourceMissing.as_str(),
            "the upload was not completed",
        );
        end(stage, StageStatus::Failed, Some(error), now);
    }
    settle(job, times, now);
    // Should its bytes not be removed now, they are soon.
    job.tidy_at = Some(now);
    true
}

/// The broker has stored the stage's task.
pub fn sent(job: &mut Job, stage: Stage, task_id: Uuid, times: Times, now: DateTime) -> bool {
    let Some(state) = current(job, stage, task_id) else {
        return false;
    };
    match &mut state.dispatch {
        Some(dispatch) if dispatch.state == DispatchState::Pending => {
            *dispatch = Dispatch {
                state: DispatchState::Sent,
                next_at: later(now, times.stale),
            };
            true
        }
        _ => false,
    }
}

/// The sweeper looks after a stage: nobody else does until `REPUBLISH_AFTER` or `stale` has passed.
pub fn claimed(job: &mut Job, stage: Stage, times: Times, now: DateTime) -> Option<DispatchState> {
    let state = job.stages.get_mut(&stage)?;
    let dispatch = state
        .dispatch
        .as_mut()
        .filter(|dispatch| dispatch.next_at <= now)?;
    dispatch.next_at = match dispatch.state {
        DispatchState::Pending => later(now, REPUBLISH_AFTER),
        // It only waits, most likely: thousands may.
        DispatchState::Sent if state.status == StageStatus::Queued => later(now, times.stale * PATIENCE),
        DispatchState::Sent => later(now, times.stale),
    };
    Some(dispatch.state)
}

/// A task that was published is gone from the queue without a result: it is published again.
pub fn lost(job: &mut Job, stage: Stage, task_id: Uuid, now: DateTime) -> bool {
    let Some(state) = current(job, stage, task_id) else {
        return false;
    };
    state.status = StageStatus::Queued;
    state.dispatch = Some(pending(now));
    true
}

/// Nobody has worked on the task until its deadline: no worker can any more.
pub fn expired(job: &mut Job, stage: Stage, task_id: Uuid, times: Times, now: DateTime) -> bool {
    let Some(state) = current(job, stage, task_id) else {
        return false;
    };
    let error = error(FailureCode::TimedOut.as_str(), "the job waited past its deadline");
    end(state, StageStatus::Failed, Some(error), now);
    settle(job, times, now);
    true
}

/// Somebody deletes the job, or its time is over. False while it runs.
pub fn deleted(job: &mut Job, now: DateTime) -> bool {
    if !job.status.is_terminal() {
        return false;
    }
    job.deleted_at = Some(now);
    job.expires_at = Some(later(now, BURIAL));
    job.tidy_at = None;
    true
}

/// The time of the job's tidying has come; it is done by whoever gets this stored.
pub fn tidying(job: &mut Job, times: Times, now: DateTime) -> bool {
    let due = job.status.is_terminal() && job.tidy_at.is_some_and(|time| time <= now);
    if due {
        // Again, should whoever does it die.
        job.tidy_at = Some(later(now, times.stale));
    }
    due
}

/// The job is tidy. False when it runs again, and will have to be tidied again.
pub fn tidied(job: &mut Job) -> bool {
    job.status.is_terminal() && job.tidy_at.take().is_some()
}

/// A worker says how far it is.
pub fn progressed(job: &mut Job, message: &Progress, times: Times, now: DateTime) -> bool {
    let Some(state) = current(job, message.stage, message.task_id) else {
        return false;
    };
    // An attempt that lost its lease may still talk.
    if message.attempt < state.attempt {
        return false;
    }
    let new_attempt = message.attempt > state.attempt;
    if state.status == StageStatus::Queued || new_attempt {
        state.started_at = Some(now);
    }
    state.status = StageStatus::Running;
    state.attempt = message.attempt;
    state.progress = if new_attempt {
        message.progress
    } else {
        message.progress.max(state.progress)
    }
    .clamp(0.0, 1.0);
    state.phase = Some(message.phase.clone());
    state.speed = message.speed;
    state.worker = Some(message.worker.clone());
    state.dispatch = Some(Dispatch {
        state: DispatchState::Sent,
        next_at: later(now, times.stale),
    });
    settle(job, times, now);
    true
}

/// A worker has ended a stage.
pub fn finished(job: &mut Job, message: &TaskResult, times: Times, now: DateTime) -> bool {
    let Some(state) = current(job, message.stage, message.task_id) else {
        return false;
    };
    state.attempt = message.attempt.max(state.attempt);
    state.timings = Some(message.timings);
    state.worker = Some(message.worker.clone());
    state.started_at.get_or_insert(now);
    match &message.outcome {
        Outcome::Succeeded(success) => {
            state.outputs = success.outputs.clone();
            state.result = Some(Value::Object(success.report.clone()));
            state.progress = 1.0;
            end(state, StageStatus::Succeeded, None, now);
            if message.stage == Stage::Scale
                && let Some(report) = report::<ScaleReport>(job, Stage::Scale)
            {
                job.source.media = Some(report.media);
            }
        }
        Outcome::Failed { code, detail } => {
            end(
                state,
                StageStatus::Failed,
                Some(error(code.as_str(), detail)),
                now,
            );
        }
        Outcome::Skipped { code } => skip(state, *code, now),
    }
    settle(job, times, now);
    true
}

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

/// The sweeper looks after an announcement: nobody else does for a while.
pub fn announcing(job: &mut Job, now: DateTime) -> bool {
    let due = job
        .announcement
        .as_mut()
        .filter(|announcement| announcement.next_at <= now);
    due.is_some_and(|announcement| {
        announcement.next_at = later(now, REPUBLISH_AFTER);
        true
    })
}

/// The client says how long the job is to be kept after its end.
pub fn kept(job: &mut Job, days: Option<u32>, until: Option<Timestamp>, times: Times, now: DateTime) {
    job.options.retention_days = days;
    job.options.expires_at = until;
    if job.status.is_terminal() {
        let ended = job.stages.values().filter_map(|stage| stage.finished_at).max();
        job.expires_at = Some(expiry(job, ended.unwrap_or(now), times));
    }
}

/// Stages whose task is to be published now.
pub fn due(job: &Job) -> Vec<Stage> {
    let pending =
        |state: &StageState| matches!(&state.dispatch, Some(d) if d.state == DispatchState::Pending);
    job.stages
        .iter()
        .filter(|(_, state)| pending(state))
        .map(|(stage, _)| *stage)
        .collect()
}

/// A finished stage's own report.
fn report<R: serde::de::DeserializeOwned>(job: &Job, stage: Stage) -> Option<R> {
    let result = job.stages.get(&stage)?.result.clone()?;
    serde_json::from_value(result).ok()
}

/// Makes due what can begin, and draws the job's status from its stages'.
fn settle(job: &mut Job, times: Times, now: DateTime) {
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
fn expiry(job: &Job, ended: DateTime, times: Times) -> DateTime {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let millis = |time: Timestamp| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    let wanted = match (job.options.expires_at, job.options.retention_days) {
        (Some(until), _) => DateTime::from_millis(millis(until)),
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

/// The stage, if `task_id` is the task that may change it.
fn current(job: &mut Job, stage: Stage, task_id: Uuid) -> Option<&mut StageState> {
    job.stages
        .get_mut(&stage)
        .filter(|state| state.task_id == task_id && state.status.is_dispatched())
}

fn end(state: &mut StageState, status: StageStatus, error: Option<StageError>, now: DateTime) {
    state.status = status;
    state.error = error;
    state.finished_at = Some(now);
    state.phase = None;
    state.speed = None;
    state.dispatch = None;
}

fn skip(state: &mut StageState, code: SkipCode, now: DateTime) {
    let detail = match code {
        SkipCode::NoAudio => "the file has no audio track",
        SkipCode::NoSpeech => "nobody speaks in this file",
    };
    end(
        state,
        StageStatus::Skipped,
        Some(error(code.as_str(), detail)),
        now,
    );
}

fn skip_code(state: &StageState) -> Option<SkipCode> {
    let code = &state.error.as_ref()?.code;
    [SkipCode::NoAudio, SkipCode::NoSpeech]
        .into_iter()
        .find(|known| known.as_str() == code)
}

fn error(code: &str, detail: &str) -> StageError {
    StageError {
        code: code.to_owned(),
        detail: detail.to_owned(),
    }
}

fn pending(now: DateTime) -> Dispatch {
    Dispatch {
        state: DispatchState::Pending,
        // Published at once by whoever stored it; the sweeper comes when that did not happen.
        next_at: later(now, Duration::from_secs(2)),
    }
}

/// The time `by` after `now`.
pub fn later(now: DateTime, by: Duration) -> DateTime {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(now.timestamp_millis().saturating_add(by))
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
