//! One upload in progress, and its commit.

use super::{too_large, too_slow};
use crate::{
    app::Shared,
    db::Updated,
    dispatch,
    job::{Job, SourceState},
    plan,
    problem::{Code, Problem},
    sweep,
};
use axum::body::Bytes;
use mongodb::bson::DateTime;
use std::time::{Duration, Instant};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};
use uuid::Uuid;
use vidp_common::{
    contract::{JobOptions, keys},
    crash,
    store::Multipart,
    trace::TraceParent,
};

/// The minimum rate holds over windows of this length.
const RATE_WINDOW: Duration = Duration::from_secs(30);

/// Bytes on their way to the store. Dropping it without a commit undoes everything: a client that vanishes makes
/// axum drop the handler, and this with it.
pub(super) struct Receiver {
    app: Shared,
    job: Job,
    upload: Option<Multipart>,
    /// Signs of life, for as long as this lives: also while the store is slow.
    _touching: AbortOnDropHandle<()>,
    window: (Instant, u64),
}

impl Receiver {
    /// Stores the job as `uploading`, then opens the upload: whatever happens from now on, the sweeper finds it.
    pub(super) async fn begin(app: &Shared, mut job: Job) -> Result<Receiver, Problem> {
        let span = Span::current();
        job.trace = TraceParent::of(&span);
        span.record("job", tracing::field::display(job.id));
        span.record("trace_id", job.trace().trace_id());
        // Before the client has sent everything for nothing.
        app.store.check().await?;
        app.db.insert(&job).await?;
        crash::step("upload.inserted");
        let (now, id) = (Instant::now(), job.id);
        let mut receiver = Receiver {
            app: app.clone(),
            job,
            upload: None,
            _touching: AbortOnDropHandle::new(tokio::spawn(touch(app.clone(), id))),
            window: (now, 0),
        };
        let key = keys::source(receiver.job.id);
        let upload = Multipart::start(
            &app.store,
            &key,
            &receiver.job.source.content_type,
            app.config.max_upload(),
        );
        receiver.upload = Some(upload.await?);
        crash::step("upload.opened");
        Ok(receiver)
    }

    /// Adds a piece of the file.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Problem> {
        let Some(upload) = &mut self.upload else {
            return Err(Problem::internal("an upload that was committed goes on"));
        };
        if upload.size() + bytes.len() as u64 > self.app.config.max_upload() {
            return Err(too_large(&self.app));
        }
        let (since, received) = &mut self.window;
        *received += bytes.len() as u64;
        if since.elapsed() >= RATE_WINDOW {
            let wanted = self.app.config.min_upload_kib_per_second * 1024 * since.elapsed().as_secs();
            if *received < wanted {
                return Err(too_slow());
            }
            self.window = (Instant::now(), 0);
        }
        upload.write(bytes).await?;
        crash::step("upload.part");
        Ok(())
    }

    /// Completes the upload, records the job, and publishes its first tasks, in this order and in a task of its
    /// own: a client that hangs up now does not leave it half done.
    pub(super) async fn commit(mut self, options: JobOptions) -> Result<Job, Problem> {
        let upload = self
            .upload
            .take()
            .ok_or_else(|| Problem::internal("an upload was committed twice"))?;
        if upload.size() == 0 {
            // Put back, so that dropping this removes it.
            self.upload = Some(upload);
            return Err(Problem::new(Code::EmptyFile, "the file is empty"));
        }
        let app = self.app.clone();
        let commit = async move {
            match self.record(upload, options).await {
                Ok(job) => Ok(job),
                Err(problem) => {
                    undo(&self.app, &self.job).await;
                    Err(problem)
                }
            }
        };
        let commit = app.commits.spawn(commit.in_current_span());
        commit.await.map_err(Problem::internal)?
    }

    async fn record(&self, upload: Multipart, options: JobOptions) -> Result<Job, Problem> {
        crash::step("upload.before-complete");
        let stored = upload.complete().await?;
        crash::step("upload.completed");
        let source = SourceState {
            size: stored.size.cast_signed(),
            sha256: stored.sha256,
            ..self.job.source.clone()
        };
        let change = |job: &mut Job| {
            job.set_options(options.clone());
            plan::uploaded(job, source.clone(), self.app.times(), DateTime::now())
        };
        match dispatch::update(&self.app, self.job.id, change).await? {
            Updated::Changed(job) => {
                crash::step("upload.recorded");
                tracing::info!(size = job.source.size, "uploaded");
                Ok(job)
            }
            Updated::Unchanged(_) => Err(Problem::conflict("the job was cancelled while it was uploaded")),
        }
    }
}

async fn undo(app: &Shared, job: &Job) {
    if let Err(error) = sweep::abandon(app, job).await {
        tracing::warn!(job = %job.id, "an upload could not be undone; the sweeper will: {error:#}");
    }
}

/// The sweeper takes an upload for abandoned after eight times this long.
async fn touch(app: Shared, id: Uuid) {
    loop {
        tokio::time::sleep(app.config.stale() / 4).await;
        if let Err(error) = app.db.touch(id).await {
            tracing::debug!(job = %id, %error, "no sign of life");
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Taken by a commit, which undoes itself; or never opened.
        let Some(upload) = self.upload.take() else {
            return;
        };
        drop(upload);
        let (app, job) = (self.app.clone(), self.job.clone());
        self.app.commits.spawn(async move {
            tracing::info!(job = %job.id, "an upload broke off");
            undo(&app, &job).await;
        });
    }
}
