//! Changes of a single stage that several events share.

use crate::{
    job::{Dispatch, DispatchState, Job, StageError, StageState, StageStatus},
    time::later,
};
use mongodb::bson::DateTime;
use std::time::Duration;
use uuid::Uuid;
use vidp_contract::{SkipCode, Stage};

/// Claim of the process that makes a stage due. It is longer than a publish may take, so that the sweeper does not
/// publish at the same time.
const PUBLISH_CLAIM: Duration = Duration::from_secs(6);

/// Returns the report of a succeeded stage.
pub(super) fn report<R: serde::de::DeserializeOwned>(job: &Job, stage: Stage) -> Option<R> {
    let result = job.stages.get(&stage)?.result.clone()?;
    serde_json::from_value(result).ok()
}

/// Returns the stage if `task_id` is the task that may change it.
pub(super) fn current(job: &mut Job, stage: Stage, task_id: Uuid) -> Option<&mut StageState> {
    job.stages
        .get_mut(&stage)
        .filter(|state| state.task_id == task_id && state.status.is_dispatched())
}

/// Ends a stage and removes its outbox entry.
pub(super) fn end(state: &mut StageState, status: StageStatus, error: Option<StageError>, now: DateTime) {
    state.status = status;
    state.error = error;
    state.finished_at = Some(now);
    state.phase = None;
    state.speed = None;
    state.parts = None;
    state.dispatch = None;
}

/// Ends a stage as skipped.
pub(super) fn skip(state: &mut StageState, code: SkipCode, now: DateTime) {
    let detail = match code {
        SkipCode::NoAudio => "the file has no audio track",
        SkipCode::NoSpeech => "the audio track contains no speech",
        SkipCode::NoVideo => "the file has no video to scale",
    };
    end(
        state,
        StageStatus::Skipped,
        Some(error(code.as_str(), detail)),
        now,
    );
}

/// Returns the reason why a stage was skipped.
pub(super) fn skip_code(state: &StageState) -> Option<SkipCode> {
    let code = &state.error.as_ref()?.code;
    SkipCode::ALL.into_iter().find(|known| known.as_str() == code)
}

/// Creates the error of a stage.
pub(super) fn error(code: &str, detail: &str) -> StageError {
    StageError {
        code: code.to_owned(),
        detail: detail.to_owned(),
    }
}

/// Creates the outbox entry of a stage that has become due.
pub(super) fn pending(now: DateTime) -> Dispatch {
    Dispatch {
        state: DispatchState::Pending,
        // The process that stores this entry publishes at once. The sweeper takes over when the claim has expired.
        next_at: later(now, PUBLISH_CLAIM),
    }
}
