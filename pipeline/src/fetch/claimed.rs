//! One try to fetch a source, under a claim.

use super::copy::copy;
use crate::{
    Shared, advance,
    metrics::{self, FetchOutcome},
    quiet, removal, resumables,
};
use reqwest::Client;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use vidp_record::{
    db::{DbError, Updated},
    job::Job,
    plan::{self, fetch::Failed},
    source::SourceState,
    time::DateTime,
};

/// Duration of a claim, which is renewed every quarter of it. After that time another replica replaces a dead one.
pub const LEASE: Duration = Duration::from_secs(20);

/// Fetches one source and records the outcome.
pub(super) async fn fetch(pipeline: &Shared, web: &Client, job: Job) {
    let Some(try_number) = job.fetch.as_ref().map(|fetch| fetch.tries) else {
        return;
    };
    let lost = CancellationToken::new();
    let renewing = tokio::spawn(renew(pipeline.clone(), job.clone(), lost.clone()));
    let work = async {
        // Remains of an interrupted earlier try.
        if try_number > 1 && !job.is_in_place() {
            removal::delete_upload(pipeline, job.id)
                .await
                .map_err(Failed::transient)?;
        }
        copy(pipeline, web, &job).await
    };
    let copied = tokio::select! {
        copied = work => Some(copied),
        // Another replica has the claim, the job was cancelled, or this process ends: the next claim starts again.
        () = lost.cancelled() => None,
        () = pipeline.shutdown.cancelled() => None,
    };
    renewing.abort();
    let done = match copied {
        None => Ok(()),
        Some(Ok(source)) => record_source(pipeline, &job, try_number, source).await,
        Some(Err(failed)) => record_failure(pipeline, &job, try_number, failed).await,
    };
    if let Err(error) = done {
        tracing::warn!(job = %job.id, "the outcome of a fetch could not be recorded; the fetch is repeated: {error:#}");
    }
}

/// Records a fetched source.
async fn record_source(
    pipeline: &Shared,
    job: &Job,
    try_number: u32,
    source: SourceState,
) -> anyhow::Result<()> {
    let before = job;
    let change = |job: &mut Job| {
        plan::fetch::is_claimed(job, try_number)
            && plan::uploaded(job, source.clone(), pipeline.times(), DateTime::now())
    };
    match advance::update(pipeline, job.id, change).await {
        Ok(Updated::Changed(job)) => {
            metrics::fetched(FetchOutcome::Fetched);
            tracing::info!(job = %job.id, size = job.source.size, "fetched");
            resumables::remove_parts(pipeline, before).await?;
        }
        // The job was cancelled in the meantime, so its bytes are unused.
        Ok(Updated::Unchanged(job)) if job.status.is_terminal() && job.source.sha256.is_empty() => {
            removal::delete_upload(pipeline, job.id).await?;
        }
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Records a failed try.
async fn record_failure(pipeline: &Shared, job: &Job, try_number: u32, failed: Failed) -> anyhow::Result<()> {
    let change = |job: &mut Job| {
        plan::fetch::is_claimed(job, try_number)
            && plan::fetch::failed(job, &failed, pipeline.times(), DateTime::now())
    };
    match advance::update(pipeline, job.id, change).await {
        Ok(Updated::Changed(job)) => {
            let ended = job.status.is_terminal();
            tracing::warn!(job = %job.id, ended, "a source could not be fetched: {failed}");
            metrics::fetched(if ended {
                FetchOutcome::Failed
            } else {
                FetchOutcome::Again
            });
            if ended {
                removal::delete_upload(pipeline, job.id).await?;
            }
        }
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Renews the claim until it is lost, then cancels `lost`.
async fn renew(pipeline: Shared, job: Job, lost: CancellationToken) {
    let try_number = job.fetch.as_ref().map_or(0, |fetch| fetch.tries);
    loop {
        tokio::time::sleep(LEASE / 4).await;
        match quiet::renew_fetch(&pipeline, job.id, try_number, LEASE).await {
            Ok(Some(_)) => {}
            Ok(None) => return lost.cancel(),
            Err(error) => tracing::debug!(job = %job.id, %error, "a claim was not renewed"),
        }
    }
}
