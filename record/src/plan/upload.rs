//! The end of an upload.

use super::{
    settle::settle,
    stage::{end, error},
    times::Times,
};
use crate::{
    job::{Job, JobStatus, StageStatus},
    source::SourceState,
};
use mongodb::bson::DateTime;
use vidp_contract::FailureCode;

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
