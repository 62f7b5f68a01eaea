//! Changes of a job without consequences: internal claims and notes. All other changes go through [`crate::advance`].
//!
//! Each function returns the job when the change was stored, and `None` when the record refused it: another process was
//! first, the job's state has changed, or the job was deleted.

use crate::Pipeline;
use std::time::Duration;
use uuid::Uuid;
use vidp_contract::Stage;
use vidp_record::{
    db::{DbError, Updated},
    job::{DispatchState, Job, JobStatus},
    plan,
    time::DateTime,
};

/// Marks a task as stored by the broker.
pub(crate) async fn sent(
    pipeline: &Pipeline,
    job: Uuid,
    stage: Stage,
    task: Uuid,
) -> Result<Option<Job>, DbError> {
    change(pipeline, job, |job| {
        plan::sent(job, stage, task, pipeline.times(), DateTime::now())
    })
    .await
}

/// Claims a stage for one check by the sweeper. Returns the job and the state of the stage's task.
pub(crate) async fn claim_stage(
    pipeline: &Pipeline,
    job: Uuid,
    stage: Stage,
) -> Result<Option<(Job, DispatchState)>, DbError> {
    let mut state = None;
    let claimed = change(pipeline, job, |job| {
        state = plan::claim_stage(job, stage, pipeline.times(), DateTime::now());
        state.is_some()
    });
    Ok(claimed.await?.zip(state))
}

/// Claims an announcement that the process which stored it did not complete.
pub(crate) async fn claim_announcement(pipeline: &Pipeline, job: Uuid) -> Result<Option<Job>, DbError> {
    change(pipeline, job, |job| {
        plan::claim_announcement(job, DateTime::now())
    })
    .await
}

/// Claims the cleanup of a job's objects from losing attempts.
pub(crate) async fn claim_cleanup(pipeline: &Pipeline, job: Uuid) -> Result<Option<Job>, DbError> {
    change(pipeline, job, |job| {
        plan::claim_cleanup(job, pipeline.times(), DateTime::now())
    })
    .await
}

/// Records that the cleanup is done.
pub(crate) async fn cleaned_up(pipeline: &Pipeline, job: Uuid) -> Result<Option<Job>, DbError> {
    change(pipeline, job, plan::cleaned_up).await
}

/// Claims the fetch of a job's source for `lease`.
pub(crate) async fn claim_fetch(
    pipeline: &Pipeline,
    job: Uuid,
    lease: Duration,
) -> Result<Option<Job>, DbError> {
    change(pipeline, job, |job| {
        plan::fetch::claim(job, lease, DateTime::now())
    })
    .await
}

/// Renews the claim of a try for `lease`.
pub(crate) async fn renew_fetch(
    pipeline: &Pipeline,
    job: Uuid,
    try_number: u32,
    lease: Duration,
) -> Result<Option<Job>, DbError> {
    change(pipeline, job, |job| {
        plan::fetch::is_claimed(job, try_number) && plan::fetch::renew(job, lease, DateTime::now())
    })
    .await
}

/// Records the id of the multipart upload to which a client sends its parts, unless one is recorded already.
pub async fn opened_upload(pipeline: &Pipeline, job: Uuid, upload_id: &str) -> Result<Option<Job>, DbError> {
    change(pipeline, job, |job| {
        let open = job.status == JobStatus::Uploading;
        let direct = job
            .direct
            .as_mut()
            .filter(|direct| open && direct.upload_id.is_none());
        direct
            .map(|direct| direct.upload_id = Some(upload_id.to_owned()))
            .is_some()
    })
    .await
}

/// Records the size of a source before it is fetched.
pub(crate) async fn announced(pipeline: &Pipeline, job: Uuid, size: i64) -> Result<Option<Job>, DbError> {
    change(pipeline, job, |job| {
        let larger = job.status == JobStatus::Uploading && job.source.size < size;
        if larger {
            job.source.size = size;
        }
        larger
    })
    .await
}

/// Stores the key that signs the job's playback grants, unless it has one.
pub async fn allow_playback(pipeline: &Pipeline, job: Uuid, key: &str) -> Result<Option<Job>, DbError> {
    change(pipeline, job, |job| {
        let is_new = job.playback_key.is_none();
        if is_new {
            job.playback_key = Some(key.to_owned());
        }
        is_new
    })
    .await
}

/// Removes the key that signs the job's playback grants, so that all of them end.
pub async fn revoke_playback(pipeline: &Pipeline, job: Uuid) -> Result<Option<Job>, DbError> {
    change(pipeline, job, |job| job.playback_key.take().is_some()).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the functions above are the permitted exceptions"
)]
async fn change(
    pipeline: &Pipeline,
    job: Uuid,
    change: impl FnMut(&mut Job) -> bool,
) -> Result<Option<Job>, DbError> {
    match pipeline.db.update(job, change).await {
        Ok(Updated::Changed(job)) => Ok(Some(job)),
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
