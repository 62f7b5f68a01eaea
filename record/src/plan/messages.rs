//! Messages from workers.

use super::{
    settle::{announce, settle},
    stage::{current, end, error, report, skip},
    times::Times,
};
use crate::{
    job::{Dispatch, DispatchState, GrowingStream, Job, JobStatus, StageState, StageStatus},
    time::later,
};
use mongodb::bson::DateTime;
use serde_json::Value;
use vidp_contract::{Outcome, Progress, ScaleReport, Stage, StreamProgress, TaskResult};

/// Applies a progress message.
pub fn progressed(job: &mut Job, message: &Progress, times: Times, now: DateTime) -> bool {
    let Some(state) = current(job, message.stage, message.task_id) else {
        return false;
    };
    // An attempt that lost its lease may still report progress.
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
    state.parts = message.parts;
    let begins = match &message.stream {
        Some(stream) => grow(state, stream, now),
        None => false,
    };
    state.worker = Some(message.worker.clone());
    state.dispatch = Some(Dispatch {
        state: DispatchState::Sent,
        next_at: later(now, times.stale),
    });
    settle(job, times, now);
    if begins && job.announcement.is_none() {
        // One for each task, also when an earlier release has dropped the note of the stream.
        announce(job, message.task_id, JobStatus::Running, now);
    }
    true
}

/// Notes the parts of a stream that can be played. A viewer may play them, so that no part is taken away: a worker with another plan
/// makes other parts, which belong to no list of the first plan.
///
/// Returns true for the first part.
fn grow(state: &mut StageState, new: &StreamProgress, now: DateTime) -> bool {
    match &mut state.stream {
        Some(stream) if stream.plan == new.plan => {
            stream.parts = stream.parts.max(new.parts);
            false
        }
        Some(_) => false,
        None => {
            state.stream = Some(GrowingStream {
                plan: new.plan.clone(),
                parts: new.parts,
                since: now,
            });
            true
        }
    }
}

/// Applies the result of a stage.
pub fn finished(job: &mut Job, message: &TaskResult, times: Times, now: DateTime) -> bool {
    // The checks of a result bind its outputs to the job that it names.
    if message.job_id != job.id {
        return false;
    }
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
