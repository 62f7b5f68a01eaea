//! Publication of a stage's task, and recovery of lost tasks.

use super::{
    settle::settle,
    stage::{current, end, error, pending},
    times::Times,
};
use crate::{
    job::{Dispatch, DispatchState, Job, StageError, StageState, StageStatus},
    time::later,
};
use mongodb::bson::DateTime;
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;
use vidp_contract::{FailureCode, Stage};

/// A queued task is checked less often than a running one, by this factor.
const QUEUED_STALE_FACTOR: u32 = 5;

/// Time after which an unconfirmed publish is repeated.
const REPUBLISH_AFTER: Duration = Duration::from_secs(10);

/// Records that the broker has stored the stage's task.
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

/// Claims a stage for one check by the sweeper. Returns the state of the stage's task.
///
/// The claim lasts `REPUBLISH_AFTER` for a pending task and a multiple of `stale` for a published one.
pub fn claim_stage(job: &mut Job, stage: Stage, times: Times, now: DateTime) -> Option<DispatchState> {
    let state = job.stages.get_mut(&stage)?;
    let dispatch = state
        .dispatch
        .as_mut()
        .filter(|dispatch| dispatch.next_at <= now)?;
    dispatch.next_at = match dispatch.state {
        DispatchState::Pending => later(now, REPUBLISH_AFTER),
        // Most likely the task only waits, and thousands of tasks may wait.
        DispatchState::Sent if state.status == StageStatus::Queued => {
            later(now, times.stale * QUEUED_STALE_FACTOR)
        }
        DispatchState::Sent => later(now, times.stale),
    };
    Some(dispatch.state)
}

/// Records that a published task disappeared from the queue without a result. It becomes due again.
pub fn lost(job: &mut Job, stage: Stage, task_id: Uuid, now: DateTime) -> bool {
    let Some(state) = current(job, stage, task_id) else {
        return false;
    };
    state.status = StageStatus::Queued;
    state.dispatch = Some(pending(now));
    true
}

/// Fails a stage whose deadline has passed. Workers refuse its task from then on.
pub fn expired(job: &mut Job, stage: Stage, task_id: Uuid, times: Times, now: DateTime) -> bool {
    let error = error(FailureCode::TimedOut.as_str(), "the job waited past its deadline");
    fail(job, (stage, task_id), error, times, now)
}

/// Fails a stage whose result cannot be stored.
pub fn rejected(job: &mut Job, stage: Stage, task_id: Uuid, times: Times, now: DateTime) -> bool {
    let error = error(
        FailureCode::Internal.as_str(),
        "the result of the stage is invalid",
    );
    fail(job, (stage, task_id), error, times, now)
}

fn fail(
    job: &mut Job,
    (stage, task_id): (Stage, Uuid),
    error: StageError,
    times: Times,
    now: DateTime,
) -> bool {
    let Some(state) = current(job, stage, task_id) else {
        return false;
    };
    end(state, StageStatus::Failed, Some(error), now);
    settle(job, times, now);
    true
}

/// Returns the stages whose task must be published, with the task's id.
pub fn due(job: &Job) -> BTreeMap<Stage, Uuid> {
    let pending =
        |state: &StageState| matches!(&state.dispatch, Some(d) if d.state == DispatchState::Pending);
    job.stages
        .iter()
        .filter(|(_, state)| pending(state))
        .map(|(stage, state)| (*stage, state.task_id))
        .collect()
}

/// Returns the stages that one change made due; `before` is [`due`] before the change.
///
/// The process that stores the change holds the claim to publish them, so that one process publishes each task. A stage
/// that was due before belongs to another process, or to the sweeper once `next_at` has passed.
pub fn newly_due(before: &BTreeMap<Stage, Uuid>, job: &Job) -> Vec<Stage> {
    due(job)
        .into_iter()
        .filter(|(stage, task)| before.get(stage) != Some(task))
        .map(|(stage, _)| stage)
        .collect()
}
