//! Fetches the sources of jobs by reference. The job is stored first, so that nothing is forgotten; whichever replica has
//! time claims it by compare-and-set, copies the bytes as an upload would bring them, and completes the job.

mod copy;

use crate::{
    Shared, advance,
    metrics::{self, FetchOutcome},
    quiet, removal, resumables,
};
use reqwest::Client;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{future::FutureExt, sync::CancellationToken};
use vidp_record::{
    db::{DbError, Updated},
    job::Job,
    plan::{self, fetch::Failed},
    source::SourceState,
    time::DateTime,
};

/// A pause when nothing is to be fetched.
const IDLE: Duration = Duration::from_secs(1);
/// Claimed for so long; renewed four times in it. A replica that dies is followed by another after that time.
pub const LEASE: Duration = Duration::from_secs(20);
/// Claims looked at in one go.
const CLAIMS: i64 = 16;

/// Fetches until the shutdown, some at a time.
pub async fn run(pipeline: Shared) {
    let web = match copy::client(&pipeline.settings.outbound_allow) {
        Ok(web) => web,
        Err(error) => {
            tracing::error!("no source can be fetched: {error}");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(pipeline.settings.fetches));
    loop {
        let found = tokio::select! {
            found = pipeline.db.fetches_due(DateTime::now(), CLAIMS) => found.unwrap_or_default(),
            () = pipeline.shutdown.cancelled() => return,
        };
        if found.is_empty() {
            // A new job wakes this one up; those of other replicas and failed ones are found by looking.
            let _ = timeout(IDLE, pipeline.fetches_due.notified())
                .with_cancellation_token(&pipeline.shutdown)
                .await;
        }
        for job in found {
            let slot = tokio::select! {
                slot = slots.clone().acquire_owned() => slot.expect("never closed"),
                () = pipeline.shutdown.cancelled() => return,
            };
            // Nothing to do when another replica has the claim, or the record cannot be reached.
            if let Ok(Some(job)) = quiet::claim_fetch(&pipeline, job.id, LEASE).await {
                let (pipeline, web) = (pipeline.clone(), web.clone());
                pipeline.tasks.clone().spawn(async move {
                    fetch(&pipeline, &web, job).await;
                    drop(slot);
                });
            }
        }
    }
}

/// Fetches one source, and records what came of it.
async fn fetch(pipeline: &Shared, web: &Client, job: Job) {
    let Some(try_number) = job.fetch.as_ref().map(|fetch| fetch.tries) else {
        return;
    };
    let lost = CancellationToken::new();
    let renewing = tokio::spawn(renew(pipeline.clone(), job.clone(), lost.clone()));
    let copy = async {
        // What a try before left behind that was broken off.
        if try_number > 1 && !job.is_in_place() {
            removal::delete_upload(pipeline, job.id)
                .await
                .map_err(Failed::transient)?;
        }
        copy::copy(pipeline, web, &job).await
    };
    let copied = tokio::select! {
        copied = copy => Some(copied),
        // Another replica has it, the job was cancelled, or this process ends: the next claim begins again.
        () = lost.cancelled() => None,
        () = pipeline.shutdown.cancelled() => None,
    };
    renewing.abort();
    let done = match copied {
        None => Ok(()),
        Some(Ok(source)) => complete(pipeline, &job, try_number, source).await,
        Some(Err(failed)) => give_up(pipeline, &job, try_number, failed).await,
    };
    if let Err(error) = done {
        tracing::warn!(job = %job.id, "a fetched source could not be recorded; it is fetched again: {error:#}");
    }
}

async fn complete(pipeline: &Shared, job: &Job, try_number: u32, source: SourceState) -> anyhow::Result<()> {
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
        // Cancelled meanwhile: its bytes belong to nobody.
        Ok(Updated::Unchanged(job)) if job.status.is_terminal() && job.source.sha256.is_empty() => {
            removal::delete_upload(pipeline, job.id).await?;
        }
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn give_up(pipeline: &Shared, job: &Job, try_number: u32, failed: Failed) -> anyhow::Result<()> {
    let change = |job: &mut Job| {
        plan::fetch::is_claimed(job, try_number)
            && plan::fetch::failed(job, &failed, pipeline.times(), DateTime::now())
    };
    match advance::update(pipeline, job.id, change).await {
        Ok(Updated::Changed(job)) => {
            let ended = job.status.is_terminal();
            tracing::warn!(job = %job.id, ended, "a source was not fetched: {failed}");
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

/// Holds the claim; tells when it is lost.
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
