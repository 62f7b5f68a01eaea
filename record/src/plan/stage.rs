//! What the events do to one stage.

use crate::{
    job::{Dispatch, DispatchState, Job, StageError, StageState, StageStatus},
    time::later,
};
use mongodb::bson::DateTime;
use std::time::Duration;
use uuid::Uuid;
use vidp_contract::{SkipCode, Stage};

/// Longer than one publish may take, so that the sweeper never publishes beside the process that made the stage due.
const PUBLISH_CLAIM: Duration = Duration::from_secs(6);

/// A finished stage's own report.
pub(super) fn report<R: serde::de::DeserializeOwned>(job: &Job, stage: Stage) -> Option<R> {
    let result = job.stages.get(&stage)?.result.clone()?;
    serde_json::from_value(result).ok()
}

/// The stage, if `task_id` is the task that may change it.
pub(super) fn current(job: &mut Job, stage: Stage, task_id: Uuid) -> Option<&mut StageState> {
    job.stages
        .get_mut(&stage)
        .filter(|state| state.task_id == task_id && state.status.is_dispatched())
}

pub(super) fn end(state: &mut StageState, status: StageStatus, error: Option<StageError>, now: DateTime) {
    state.status = status;
    state.error = error;
    state.finished_at = Some(now);
    state.phase = None;
    state.speed = None;
    state.dispatch = None;
}

pub(super) fn skip(state: &mut StageState, code: SkipCode, now: DateTime) {
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

pub(super) fn skip_code(state: &StageState) -> Option<SkipCode> {
    let code = &state.error.as_ref()?.code;
    [SkipCode::NoAudio, SkipCode::NoSpeech]
        .into_iter()
        .find(|known| known.as_str() == code)
}

pub(super) fn error(code: &str, detail: &str) -> StageError {
    StageError {
        code: code.to_owned(),
        detail: detail.to_owned(),
    }
}

pub(super) fn pending(now: DateTime) -> Dispatch {
    Dispatch {
        state: DispatchState::Pending,
        // The process that stores this publishes at once; the sweeper takes over when the claim has expired.
        next_at: later(now, PUBLISH_CLAIM),
    }
}
