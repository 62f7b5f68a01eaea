//! The job's state machine: what each event makes of a job, and what is to be done next. No I/O.
//!
//! Every function changes the job and says whether it did; the caller stores it by compare-and-set. Events that come
//! late, twice or for another task change nothing: terminal states absorb.

pub mod fetch;
mod settle;
mod task;

pub use task::task;

use crate::time::later;
use crate::{
    job::{Dispatch, DispatchState, Job, JobStatus, StageState, StageStatus},
    source::{Fetch, SourceState},
};
use mongodb::bson::DateTime;
use serde_json::Value;
use settle::{current, end, error, expiry, pending, report, settle, skip};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;
use vidp_contract::{FailureCode, Outcome, Progress, ScaleReport, Stage, TaskResult, Timestamp};

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
const TOMBSTONE_LIFE: Duration = Duration::from_secs(600);
/// A task that waits in the queue is looked for less often than one that is being worked on.
const QUEUED_STALE_FACTOR: u32 = 5;
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
pub fn claim_stage(job: &mut Job, stage: Stage, times: Times, now: DateTime) -> Option<DispatchState> {
    let state = job.stages.get_mut(&stage)?;
    let dispatch = state
        .dispatch
        .as_mut()
        .filter(|dispatch| dispatch.next_at <= now)?;
    dispatch.next_at = match dispatch.state {
        DispatchState::Pending => later(now, REPUBLISH_AFTER),
        // It only waits, most likely: thousands may.
        DispatchState::Sent if state.status == StageStatus::Queued => {
            later(now, times.stale * QUEUED_STALE_FACTOR)
        }
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
    job.expires_at = Some(later(now, TOMBSTONE_LIFE));
    job.tidy_at = None;
    true
}

/// The time of the job's tidying has come; it is done by whoever gets this stored.
pub fn claim_cleanup(job: &mut Job, times: Times, now: DateTime) -> bool {
    let due = job.status.is_terminal() && job.tidy_at.is_some_and(|time| time <= now);
    if due {
        // Again, should whoever does it die.
        job.tidy_at = Some(later(now, times.stale));
    }
    due
}

/// The job is tidy. False when it runs again, and will have to be tidied again.
pub fn cleaned_up(job: &mut Job) -> bool {
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
pub fn claim_announcement(job: &mut Job, now: DateTime) -> bool {
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

/// Stages whose task must be published, with the task's id.
pub fn due(job: &Job) -> BTreeMap<Stage, Uuid> {
    let pending =
        |state: &StageState| matches!(&state.dispatch, Some(d) if d.state == DispatchState::Pending);
    job.stages
        .iter()
        .filter(|(_, state)| pending(state))
        .map(|(stage, state)| (*stage, state.task_id))
        .collect()
}

/// Stages that one change made due: `before` are those that were due before it.
///
/// Storing that change is the claim to publish them, so that one process publishes each task. A stage that was due
/// before belongs to another publisher, or to the sweeper once `next_at` has passed.
pub fn newly_due(before: &BTreeMap<Stage, Uuid>, job: &Job) -> Vec<Stage> {
    due(job)
        .into_iter()
        .filter(|(stage, task)| before.get(stage) != Some(task))
        .map(|(stage, _)| stage)
        .collect()
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
