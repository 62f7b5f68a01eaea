//! Fetches the sources of jobs by reference. The job is stored first, so that nothing is forgotten; whichever replica has
//! time claims it by compare-and-set, copies the bytes as an upload would bring them, and completes the job.

mod copy;

use crate::{
    app::Shared,
    db::{DbError, Updated},
    dispatch,
    job::{Job, SourceState},
    metrics::{self, FetchOutcome},
    plan, sweep, tus,
};
pub use copy::Failed;
use mongodb::bson::DateTime;
use reqwest::Client;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{future::FutureExt, sync::CancellationToken};

/// A pause when nothing is to be fetched.
const IDLE: Duration = Duration::from_secs(1);
/// Claimed for so long; renewed four times in it. A replica that dies is followed by another after that time.
pub const LEASE: Duration = Duration::from_secs(20);
/// Claims looked at in one go.
const AHEAD: i64 = 16;

/// Fetches until the shutdown, some at a time.
pub async fn run(app: Shared) {
    let web = match copy::client(&app.config.outbound_allow) {
        Ok(web) => web,
        Err(error) => {
            tracing::error!("no source can be fetched: {error}");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(app.config.fetches));
    loop {
        let found = tokio::select! {
            found = app.db.fetches_due(DateTime::now(), AHEAD) => found.unwrap_or_default(),
            () = app.shutdown.cancelled() => return,
        };
        if found.is_empty() {
            // A new job wakes this one up; those of other replicas and failed ones are found by looking.
            let _ = timeout(IDLE, app.fetches.notified())
                .with_cancellation_token(&app.shutdown)
                .await;
        }
        for job in found {
            let slot = tokio::select! {
                slot = slots.clone().acquire_owned() => slot.expect("never closed"),
                () = app.shutdown.cancelled() => return,
            };
            let claim = |job: &mut Job| plan::fetch::claimed(job, LEASE, DateTime::now());
            // Somebody else's is unchanged; without the record nothing can be done.
            if let Ok(Updated::Changed(job)) = app.db.update(job.id, claim).await {
                let (app, web) = (app.clone(), web.clone());
                app.commits.clone().spawn(async move {
                    fetch(&app, &web, job).await;
                    drop(slot);
                });
            }
        }
    }
}

/// Fetches one source, and records what came of it.
async fn fetch(app: &Shared, web: &Client, job: Job) {
    let Some(try_number) = job.fetch.as_ref().map(|fetch| fetch.tries) else {
        return;
    };
    let lost = CancellationToken::new();
    let renewing = tokio::spawn(renew(app.clone(), job.clone(), lost.clone()));
    let copy = async {
        // What a try before left behind that was broken off.
        if try_number > 1 && !job.is_in_place() {
            sweep::delete_upload(app, job.id).await.map_err(Failed::passing)?;
        }
        copy::copy(app, web, &job).await
    };
    let copied = tokio::select! {
        copied = copy => Some(copied),
        // Another replica has it, the job was cancelled, or this process ends: the next claim begins again.
        () = lost.cancelled() => None,
        () = app.shutdown.cancelled() => None,
    };
    renewing.abort();
    let done = match copied {
        None => Ok(()),
        Some(Ok(source)) => complete(app, &job, try_number, source).await,
        Some(Err(failed)) => give_up(app, &job, try_number, failed).await,
    };
    if let Err(error) = done {
        tracing::warn!(job = %job.id, "a fetched source could not be recorded; it is fetched again: {error:#}");
    }
}

async fn complete(app: &Shared, job: &Job, try_number: u32, source: SourceState) -> anyhow::Result<()> {
    let before = job;
    let change = |job: &mut Job| {
        plan::fetch::is_claimed(job, try_number)
            && plan::uploaded(job, source.clone(), app.times(), DateTime::now())
    };
    match dispatch::update(app, job.id, change).await {
        Ok(Updated::Changed(job)) => {
            metrics::fetched(FetchOutcome::Fetched);
            tracing::info!(job = %job.id, size = job.source.size, "fetched");
            tus::finish::remove_parts(app, before).await?;
        }
        // Cancelled meanwhile: its bytes belong to nobody.
        Ok(Updated::Unchanged(job)) if job.status.is_terminal() && job.source.sha256.is_empty() => {
            sweep::delete_upload(app, job.id).await?;
        }
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn give_up(app: &Shared, job: &Job, try_number: u32, failed: Failed) -> anyhow::Result<()> {
    let change = |job: &mut Job| {
        plan::fetch::is_claimed(job, try_number)
            && plan::fetch::failed(job, &failed, app.times(), DateTime::now())
    };
    match dispatch::update(app, job.id, change).await {
        Ok(Updated::Changed(job)) => {
            let ended = job.status.is_terminal();
            tracing::warn!(job = %job.id, ended, "a source was not fetched: {failed}");
            metrics::fetched(if ended {
                FetchOutcome::Failed
            } else {
                FetchOutcome::Again
            });
            if ended {
                sweep::delete_upload(app, job.id).await?;
            }
        }
        Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Holds the claim; tells when it is lost.
async fn renew(app: Shared, job: Job, lost: CancellationToken) {
    let try_number = job.fetch.as_ref().map_or(0, |fetch| fetch.tries);
    loop {
        tokio::time::sleep(LEASE / 4).await;
        let renewed = |job: &mut Job| {
            plan::fetch::is_claimed(job, try_number) && plan::fetch::renewed(job, LEASE, DateTime::now())
        };
        match app.db.update(job.id, renewed).await {
            Ok(Updated::Changed(_)) => {}
            Ok(Updated::Unchanged(_)) | Err(DbError::NotFound) => return lost.cancel(),
            Err(error) => tracing::debug!(job = %job.id, %error, "a claim was not renewed"),
        }
    }
}
