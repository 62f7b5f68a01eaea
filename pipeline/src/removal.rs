//! Removal of objects: of abandoned uploads, deleted and expired jobs, and losing attempts.

use crate::{
    Pipeline, Shared, advance,
    metrics::{self, Repair},
    quiet,
};
use anyhow::Result;
use std::{
    collections::HashSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;
use vidp_common::{
    crash,
    manifest::{self, Manifest},
};
use vidp_contract::{Outcome, Stage, keys};
use vidp_record::{
    db::{DbError, Updated},
    job::Job,
    plan,
    time::DateTime,
};

/// Ends an abandoned upload and removes its bytes.
pub async fn abandon(pipeline: &Shared, job: &Job) -> Result<()> {
    let change = |job: &mut Job| plan::abandoned(job, pipeline.times(), DateTime::now());
    match advance::update(pipeline, job.id, change).await {
        Ok(Updated::Changed(_)) | Err(DbError::NotFound) => delete_upload(pipeline, job.id).await,
        Ok(Updated::Unchanged(job)) => delete_unused(pipeline, &job).await,
        Err(error) => Err(error.into()),
    }
}

/// Removes the bytes of a job that ended during its upload. A complete source belongs to its job.
pub async fn delete_unused(pipeline: &Pipeline, job: &Job) -> Result<()> {
    match job.status.is_terminal() && job.source.sha256.is_empty() {
        true => delete_upload(pipeline, job.id).await,
        false => Ok(()),
    }
}

/// Deletes an ended job: first in the record by compare-and-set, then its objects. Returns false when the job runs.
///
/// A worker that does not know of the deletion may still store objects. The document therefore stays as a tombstone
/// until the sweeper has removed those too.
pub async fn delete(pipeline: &Shared, id: Uuid) -> Result<bool, DbError> {
    match advance::update(pipeline, id, |job| plan::deleted(job, DateTime::now())).await? {
        Updated::Unchanged(_) => Ok(false),
        Updated::Changed(job) => {
            crash::step("delete.recorded");
            metrics::job_deleted();
            if let Err(error) = delete_objects(pipeline, &job).await {
                tracing::warn!(job = %id, "objects of a deleted job could not be removed; the sweeper retries: {error:#}");
            }
            Ok(true)
        }
    }
}

/// Expires a job: the first call marks it deleted, the second purges the tombstone.
pub(crate) async fn expire(pipeline: &Shared, job: &Job) -> Result<()> {
    if job.deleted_at.is_some() {
        delete_objects(pipeline, job).await?;
        pipeline.db.remove(job.id, job.rev).await?;
    } else {
        tracing::info!(job = %job.id, "expired");
        match delete(pipeline, job.id).await {
            Ok(_) => metrics::repaired(Repair::Deleted),
            Err(DbError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Deletes all objects of a job.
async fn delete_objects(pipeline: &Pipeline, job: &Job) -> Result<()> {
    delete_upload(pipeline, job.id).await?;
    crash::step("delete.objects");
    let prefix = keys::job_prefix(job.id);
    abort_multiparts(pipeline, &prefix).await?;
    delete_found(pipeline, &prefix, |_| true).await
}

/// Deletes and counts the `unwanted` objects below `prefix`.
async fn delete_found(pipeline: &Pipeline, prefix: &str, unwanted: impl Fn(&str) -> bool) -> Result<()> {
    let mut found = pipeline.store.list_sizes(prefix).await?;
    // A key that was corrupted in transit could name another job's object.
    found.retain(|(key, _)| key.starts_with(prefix) && unwanted(key));
    let (keys, sizes): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    pipeline.store.delete_all(&keys).await?;
    metrics::objects_deleted(keys.len() as u64, sizes.iter().sum());
    Ok(())
}

/// Removes a job's source and its unfinished multipart uploads.
pub async fn delete_upload(pipeline: &Pipeline, id: Uuid) -> Result<()> {
    // The whole key, because some servers find open uploads only by the exact key.
    let key = keys::source(id);
    abort_multiparts(pipeline, &key).await?;
    delete_found(pipeline, &key, |_| true).await
}

/// Aborts the unfinished multipart uploads below `prefix`.
async fn abort_multiparts(pipeline: &Pipeline, prefix: &str) -> Result<()> {
    for (key, upload_id) in pipeline.store.open_multiparts(prefix).await? {
        pipeline.store.abort_multipart(&key, &upload_id).await?;
    }
    Ok(())
}

/// Removes the objects of losing attempts: old objects of the job that are neither a manifest nor named in one.
///
/// Then removes the job's tasks from the queue: a broker whose disk was full may retain acknowledged tasks that it
/// never delivers.
pub(crate) async fn clean_up(pipeline: &Shared, job: &Job) -> Result<()> {
    // Claimed first. A concurrent retry clears the claim, and its attempts are too recent to be removed.
    if quiet::claim_cleanup(pipeline, job.id).await?.is_none() {
        return Ok(());
    }
    crash::step("tidy.claimed");
    if job.source.sha256.is_empty() {
        delete_upload(pipeline, job.id).await?;
    } else {
        delete_losers(pipeline, job).await?;
    }
    for (stage, state) in &job.stages {
        pipeline
            .queue
            .remove_task(*stage, job.lane, state.task_id)
            .await?;
    }
    quiet::cleaned_up(pipeline, job.id).await?;
    metrics::repaired(Repair::Tidied);
    Ok(())
}

async fn delete_losers(pipeline: &Pipeline, job: &Job) -> Result<()> {
    let mut retained = HashSet::new();
    for (stage, state) in &job.stages {
        // Outputs in the record are never deleted, even if the manifest differs.
        retained.extend(state.outputs.iter().map(|output| output.key.clone()));
        // An invalid manifest names no object.
        if let Some(Manifest::Committed(winner)) = committed(pipeline, job, *stage).await?
            && let Outcome::Succeeded(success) = winner.outcome
        {
            retained.extend(success.outputs.into_iter().map(|output| output.key));
        }
    }
    // An upload whose opening was not confirmed was opened twice, and one of the two is still open.
    abort_multiparts(pipeline, &keys::source(job.id)).await?;
    let prefix = keys::job_prefix(job.id);
    abort_multiparts(pipeline, &prefix).await?;
    let lost = |key: &str| {
        !retained.contains(key) && keys::attempt(key).is_some_and(|id| is_old(id, pipeline.times().tidy))
    };
    delete_found(pipeline, &prefix, lost).await
}

/// Returns true when the attempt began at least `age` ago, according to its id, a UUIDv7.
fn is_old(attempt: Uuid, age: Duration) -> bool {
    let Some(time) = attempt.get_timestamp() else {
        return false;
    };
    let (seconds, nanos) = time.to_unix();
    let began = UNIX_EPOCH + Duration::new(seconds, nanos);
    SystemTime::now()
        .duration_since(began)
        .is_ok_and(|found| found >= age)
}

/// Returns the manifest of a stage, with its result as that of the current task.
pub(crate) async fn committed(pipeline: &Pipeline, job: &Job, stage: Stage) -> Result<Option<Manifest>> {
    let task_id = job.stages[&stage].task_id;
    Ok(manifest::read(&pipeline.store, job.id, stage, task_id).await?)
}
