//! Events of the upload.

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

/// Records a complete upload. The first tasks become due.
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

/// Records an abandoned upload, by the client or by a process that died. Every stage fails.
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
    // The cleanup is due at once, in case the caller does not remove the bytes.
    job.tidy_at = Some(now);
    true
}
