//! Removing objects: of uploads that were given up, of deleted and expired jobs, of losing attempts.

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
use vidp_common::{crash, manifest};
use vidp_contract::{Outcome, Stage, TaskResult, keys};
use vidp_record::{
    db::{DbError, Updated},
    job::Job,
    plan,
    time::DateTime,
};

/// Ends an upload that nobody completes, and removes its bytes.
pub async fn abandon(pipeline: &Shared, job: &Job) -> Result<()> {
    let change = |job: &mut Job| plan::abandoned(job, pipeline.times(), DateTime::now());
    let unused = match advance::update(pipeline, job.id, change).await {
        Ok(Updated::Changed(_)) | Err(DbError::NotFound) => true,
        // Cancelled while it was uploading; or complete, and then the bytes belong to the job.
        Ok(Updated::Unchanged(job)) => job.status.is_terminal() && job.source.sha256.is_empty(),
        Err(error) => return Err(error.into()),
    };
    if unused {
        delete_upload(pipeline, job.id).await?;
    }
    Ok(())
}

/// Deletes an ended job: first it disappears from the record by compare-and-set, then its objects go. A worker that
/// does not know yet may still write some: the document stays until they are gone as well. False when the job runs.
pub async fn delete(pipeline: &Shared, id: Uuid) -> Result<bool, DbError> {
    match advance::update(pipeline, id, |job| plan::deleted(job, DateTime::now())).await? {
        Updated::Unchanged(_) => Ok(false),
        Updated::Changed(job) => {
            crash::step("delete.recorded");
            metrics::job_deleted();
            if let Err(error) = delete_objects(pipeline, &job).await {
                tracing::warn!(job = %id, "objects of a deleted job remain; the sweeper removes them: {error:#}");
            }
            Ok(true)
        }
    }
}

/// The time of an ended job is over: it is deleted. That of a deleted one: nothing of it is kept.
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

async fn delete_objects(pipeline: &Pipeline, job: &Job) -> Result<()> {
    delete_upload(pipeline, job.id).await?;
    crash::step("delete.objects");
    let prefix = keys::job_prefix(job.id);
    abort_multiparts(pipeline, &prefix).await?;
    delete_found(pipeline, &prefix, |_| true).await
}

/// Deletes the objects below `prefix` that are `unwanted`, and counts them.
async fn delete_found(pipeline: &Pipeline, prefix: &str, unwanted: impl Fn(&str) -> bool) -> Result<()> {
    let mut found = pipeline.store.list_sizes(prefix).await?;
    // A key that was damaged on its way could be that of something else.
    found.retain(|(key, _)| key.starts_with(prefix) && unwanted(key));
    let (keys, sizes): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    pipeline.store.delete_all(&keys).await?;
    metrics::objects_deleted(keys.len() as u64, sizes.iter().sum());
    Ok(())
}

/// Removes the source, and what was begun of it.
pub async fn delete_upload(pipeline: &Pipeline, id: Uuid) -> Result<()> {
    // The whole key: some servers find an open upload by nothing less.
    let key = keys::source(id);
    abort_multiparts(pipeline, &key).await?;
    delete_found(pipeline, &key, |_| true).await
}

async fn abort_multiparts(pipeline: &Pipeline, prefix: &str) -> Result<()> {
    for (key, upload_id) in pipeline.store.open_multiparts(prefix).await? {
        pipeline.store.abort_multipart(&key, &upload_id).await?;
    }
    Ok(())
}

/// Removes what losing attempts stored: everything below the job that is old and neither a manifest nor named in one.
/// Then its tasks: a broker whose disk was full forgets to remove some that were acknowledged, and nobody is given them.
pub(crate) async fn clean_up(pipeline: &Shared, job: &Job) -> Result<()> {
    // Claimed first: a retry that comes meanwhile takes the job out of here, and its attempts are young.
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
    let mut kept = HashSet::new();
    for (stage, state) in &job.stages {
        // What the record lists is never deleted, whatever the store says.
        kept.extend(state.outputs.iter().map(|output| output.key.clone()));
        let winner = committed(pipeline, job, *stage).await?;
        if let Some(Outcome::Succeeded(success)) = winner.map(|TaskResult { outcome, .. }| outcome) {
            kept.extend(success.outputs.into_iter().map(|output| output.key));
        }
    }
    // When the answer to the opening of an upload was lost, it was opened twice, and one of them is open still.
    abort_multiparts(pipeline, &keys::source(job.id)).await?;
    let prefix = keys::job_prefix(job.id);
    abort_multiparts(pipeline, &prefix).await?;
    let lost = |key: &str| {
        !kept.contains(key) && keys::attempt(key).is_some_and(|id| is_old(id, pipeline.times().tidy))
    };
    delete_found(pipeline, &prefix, lost).await
}

/// The attempt began so long ago; its id, a UUIDv7, says when.
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

/// The committed result of a stage, as the answer to its present task.
pub(crate) async fn committed(pipeline: &Pipeline, job: &Job, stage: Stage) -> Result<Option<TaskResult>> {
    manifest::read(
        &pipeline.store,
        &keys::stage_prefix(job.id, stage),
        job.stages[&stage].task_id,
    )
    .await
}
