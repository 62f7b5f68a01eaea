//! The only path by which a job is stored and changed.
//!
//! A caller passes the change, a function of `vidp_record::plan`. This module then carries out the consequences: it
//! counts the end of a job, announces that end and the beginning of its stream to webhooks, publishes tasks that became due, and wakes the fetcher.
//! Changes without consequences are listed in [`crate::quiet`].

use crate::{Pipeline, Shared, metrics, publish, webhooks};
use std::collections::BTreeMap;
use uuid::Uuid;
use vidp_contract::Stage;
use vidp_record::{
    db::{DbError, Updated},
    job::Job,
    plan,
};

/// Stores a new job.
///
/// # Errors
/// [`DbError::Duplicate`] when its id or its idempotency key exists already.
pub async fn insert(pipeline: &Pipeline, job: &Job) -> Result<(), DbError> {
    #[expect(clippy::disallowed_methods, reason = "this module is the only path")]
    pipeline.db.insert(job).await?;
    wake_fetcher(pipeline, job);
    Ok(())
}

/// Stores new jobs together. Existing jobs with the same ids are left unchanged.
pub async fn insert_all(pipeline: &Pipeline, jobs: Vec<Job>) -> Result<(), DbError> {
    let any_to_fetch = jobs.iter().any(|job| job.fetch.is_some());
    #[expect(clippy::disallowed_methods, reason = "this module is the only path")]
    pipeline.db.insert_all(jobs).await?;
    if any_to_fetch {
        pipeline.fetches_due.notify_one();
    }
    Ok(())
}

/// Changes a job by compare-and-set and starts the consequences, which continue when the caller is dropped.
///
/// `change` returns true when it changed the job. It runs again after a concurrent change.
///
/// # Errors
/// [`DbError::NotFound`] when the job does not exist or was deleted.
pub async fn update(
    pipeline: &Shared,
    id: Uuid,
    mut change: impl FnMut(&mut Job) -> bool,
) -> Result<Updated, DbError> {
    let mut before = Before::default();
    let change = |job: &mut Job| {
        before = Before::of(job);
        change(job)
    };
    #[expect(clippy::disallowed_methods, reason = "this module is the only path")]
    let updated = pipeline.db.update(id, change).await?;
    if let Updated::Changed(job) = &updated {
        follow_up(pipeline, &before, job);
    }
    Ok(updated)
}

/// The state before a change that determines its consequences.
#[derive(Default)]
struct Before {
    open: bool,
    announced: Option<Uuid>,
    fetching: bool,
    due: BTreeMap<Stage, Uuid>,
}

impl Before {
    fn of(job: &Job) -> Before {
        Before {
            open: !job.status.is_terminal(),
            announced: announcement(job),
            fetching: job.fetch.is_some(),
            due: plan::due(job),
        }
    }
}

/// The id of the announcement that is due.
fn announcement(job: &Job) -> Option<Uuid> {
    job.announcement.as_ref().map(|announcement| announcement.id)
}

fn follow_up(pipeline: &Shared, before: &Before, job: &Job) {
    if before.open && job.status.is_terminal() {
        metrics::job_ended(job.status);
    }
    if job.announcement.is_some() && announcement(job) != before.announced {
        let (pipeline, job) = (pipeline.clone(), job.clone());
        pipeline.tasks.clone().spawn(async move {
            if let Err(error) = webhooks::announce(&pipeline, &job).await {
                tracing::warn!(job = %job.id, "webhook deliveries could not be created; the sweeper retries: {error:#}");
            }
        });
    }
    let due = plan::newly_due(&before.due, job);
    if !due.is_empty() {
        let (pipeline, job) = (pipeline.clone(), job.clone());
        pipeline
            .tasks
            .clone()
            .spawn(async move { publish::publish(&pipeline, &job, &due).await });
    }
    if !before.fetching {
        wake_fetcher(pipeline, job);
    }
}

fn wake_fetcher(pipeline: &Pipeline, job: &Job) {
    if job.fetch.is_some() {
        pipeline.fetches_due.notify_one();
    }
}
