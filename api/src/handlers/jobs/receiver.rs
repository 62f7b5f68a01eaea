//! One upload in progress, and its commit.

use crate::http::{idempotency::{self, Begun}, pace::Pace, problem::{Code, Problem, too_large}};
use vidp_pipeline::{Shared, advance, sweeper};
use vidp_record::{plan, db::Updated, job::Job, source::SourceState, time::DateTime};
use axum::body::Bytes;
use sha2::{Digest, Sha256};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};
use uuid::Uuid;
use vidp_common::{crash, trace, store::Multipart};
use vidp_contract::{JobOptions, hex, keys};

/// Bytes on their way to the store. Dropping it without a commit undoes everything: a client that vanishes makes
/// axum drop the handler, and this with it.
pub(super) struct Receiver {
    app: Shared,
    job: Job,
    sink: Sink,
    /// Signs of life, for as long as this lives: also while the store is slow.
    _touching: Option<AbortOnDropHandle<()>>,
    pace: Pace,
}

/// Where the bytes go.
enum Sink {
    /// To the store.
    Store(Box<Multipart>),
    /// Nowhere: the idempotency key has made a job before, and they are only compared with what it was made of.
    Compare {
        before: Box<Job>,
        hash: Sha256,
        size: u64,
    },
    /// To no place any more.
    Closed,
}

/// What became of an upload.
pub struct Received {
    /// The job, queued.
    pub job: Job,
    /// It is the job of an earlier request.
    pub replayed: bool,
}

impl Receiver {
    /// Stores the job as `uploading`, then opens the upload: whatever happens from now on, the sweeper finds it.
    pub(super) async fn begin(app: &Shared, mut job: Job) -> Result<Receiver, Problem> {
        let span = Span::current();
        job.trace = trace::of_span(&span);
        span.record("job", tracing::field::display(job.id));
        span.record("trace_id", job.trace().trace_id());
        // Before the client has sent everything for nothing.
        app.store.check().await?;
        let begun = idempotency::begin(app, &job).await?;
        let mut receiver = Receiver {
            app: app.clone(),
            job,
            sink: Sink::Closed,
            _touching: None,
            pace: Pace::default(),
        };
        if let Begun::Before(before) = begun {
            let hash = Sha256::new();
            receiver.sink = Sink::Compare {
                before,
                hash,
                size: 0,
            };
            return Ok(receiver);
        }
        crash::step("upload.inserted");
        let touching = tokio::spawn(touch(app.clone(), receiver.job.id));
        receiver._touching = Some(AbortOnDropHandle::new(touching));
        let key = keys::source(receiver.job.id);
        let upload = Multipart::start(
            &app.store,
            &key,
            &receiver.job.source.content_type,
            app.config.max_upload(),
        );
        match upload.await {
            Ok(upload) => receiver.sink = Sink::Store(Box::new(upload)),
            Err(error) => {
                undo(app, &receiver.job).await;
                return Err(error.into());
            }
        }
        crash::step("upload.opened");
        Ok(receiver)
    }

    /// Adds a piece of the file.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Problem> {
        if self.size() + bytes.len() as u64 > self.app.config.max_upload() {
            return Err(too_large(&self.app));
        }
        self.pace.came(&self.app, bytes.len())?;
        match &mut self.sink {
            Sink::Store(upload) => {
                upload.write(bytes).await?;
                crash::step("upload.part");
            }
            Sink::Compare { hash, size, .. } => {
                hash.update(&bytes);
                *size += bytes.len() as u64;
            }
            Sink::Closed => {}
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        match &self.sink {
            Sink::Store(upload) => upload.size(),
            Sink::Compare { size, .. } => *size,
            Sink::Closed => 0,
        }
    }

    /// SHA-256 of what was written so far.
    pub(super) fn sha256(&self) -> String {
        match &self.sink {
            Sink::Store(upload) => upload.sha256(),
            Sink::Compare { hash, .. } => hex(&hash.clone().finalize()),
            Sink::Closed => String::new(),
        }
    }

    /// Completes the upload, records the job, and publishes its first tasks, in this order and in a task of its
    /// own: a client that hangs up now does not leave it half done.
    pub(super) async fn commit(mut self, options: JobOptions) -> Result<Received, Problem> {
        if self.size() == 0 {
            return Err(Problem::new(Code::EmptyFile, "the file is empty"));
        }
        if self.job.idempotency_key.is_some() {
            let source = &self.job.source;
            let request = (&options, &source.filename, &source.content_type, self.sha256());
            self.job.request_hash = Some(idempotency::request_hash(&request)?);
        }
        let upload = match std::mem::replace(&mut self.sink, Sink::Closed) {
            Sink::Store(upload) => upload,
            Sink::Compare { before, .. } => {
                let job = idempotency::replay(*before, &self.job)?;
                return Ok(Received { job, replayed: true });
            }
            Sink::Closed => return Err(Problem::internal("an upload was committed twice")),
        };
        let app = self.app.clone();
        let commit = async move {
            match self.record(upload, options).await {
                Ok(job) => Ok(Received { job, replayed: false }),
                Err(problem) => {
                    undo(&self.app, &self.job).await;
                    Err(problem)
                }
            }
        };
        let commit = app.commits.spawn(commit.in_current_span());
        commit.await.map_err(Problem::internal)?
    }

    async fn record(&self, upload: Box<Multipart>, options: JobOptions) -> Result<Job, Problem> {
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
            job.request_hash = self.job.request_hash.clone();
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
        // Taken by a commit, which undoes itself; or nothing was stored.
        let Sink::Store(upload) = std::mem::replace(&mut self.sink, Sink::Closed) else {
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
