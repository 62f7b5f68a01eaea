//! One upload in progress, and its commit.

use super::received::Received;
use crate::http::{
    idempotency::{self, Begun},
    pace::Pace,
    problem::{Code, Problem},
};
use crate::{auth::Caller, state::Intake};
use axum::body::Bytes;
use sha2::{Digest, Sha256};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};
use uuid::Uuid;
use vidp_common::{crash, store::Multipart, trace};
use vidp_contract::{JobOptions, hex, keys};
use vidp_pipeline::{Shared, advance, removal};
use vidp_record::{
    db::Updated,
    job::Job,
    plan,
    source::{SourceState, plain_name, plain_type},
    time::DateTime,
};

/// Bytes on their way to the store. Dropping it without a commit undoes everything: a client that vanishes makes
/// axum drop the handler, and this with it.
pub(super) struct Receiver {
    intake: Intake,
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

impl Receiver {
    /// Stores a new job for this upload and opens it.
    pub(super) async fn start(
        intake: &Intake,
        caller: &Caller,
        key: Option<String>,
        options: JobOptions,
        name: &str,
        content_type: &str,
    ) -> Result<Receiver, Problem> {
        let mut job = Job::uploading(
            Uuid::now_v7(),
            caller.tenant.clone(),
            options,
            plain_name(name),
            plain_type(content_type),
            DateTime::now(),
        );
        job.idempotency_key = key;
        Receiver::begin(intake, job).await
    }

    /// Stores the job as `uploading`, then opens the upload: whatever happens from now on, the sweeper finds it.
    async fn begin(intake: &Intake, mut job: Job) -> Result<Receiver, Problem> {
        let span = Span::current();
        job.trace = trace::of_span(&span);
        span.record("job", tracing::field::display(job.id));
        span.record("trace_id", job.trace().trace_id());
        // Before the client has sent everything for nothing.
        intake.pipeline.store.check().await?;
        let begun = idempotency::begin(&intake.pipeline, &job).await?;
        let mut receiver = Receiver {
            intake: intake.clone(),
            job,
            sink: Sink::Closed,
            _touching: None,
            pace: Pace::start(intake.config.min_upload_kib_per_second),
        };
        if let Begun::Existing(before) = begun {
            let hash = Sha256::new();
            receiver.sink = Sink::Compare {
                before,
                hash,
                size: 0,
            };
            return Ok(receiver);
        }
        crash::step("upload.inserted");
        let touching = tokio::spawn(touch(intake.pipeline.clone(), receiver.job.id));
        receiver._touching = Some(AbortOnDropHandle::new(touching));
        let key = keys::source(receiver.job.id);
        let upload = Multipart::start(
            &intake.pipeline.store,
            &key,
            &receiver.job.source.content_type,
            intake.config.max_upload(),
        );
        match upload.await {
            Ok(upload) => receiver.sink = Sink::Store(Box::new(upload)),
            Err(error) => {
                undo(&intake.pipeline, &receiver.job).await;
                return Err(error.into());
            }
        }
        crash::step("upload.opened");
        Ok(receiver)
    }

    /// Adds a piece of the file.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Problem> {
        if self.size() + bytes.len() as u64 > self.intake.config.max_upload() {
            return Err(Problem::too_large(self.intake.config.max_upload_mb));
        }
        self.pace.record(bytes.len())?;
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
        let tasks = self.intake.pipeline.tasks.clone();
        let commit = async move {
            match self.record(upload, options).await {
                Ok(job) => Ok(Received { job, replayed: false }),
                Err(problem) => {
                    undo(&self.intake.pipeline, &self.job).await;
                    Err(problem)
                }
            }
        };
        let commit = tasks.spawn(commit.in_current_span());
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
            plan::uploaded(job, source.clone(), self.intake.pipeline.times(), DateTime::now())
        };
        match advance::update(&self.intake.pipeline, self.job.id, change).await? {
            Updated::Changed(job) => {
                crash::step("upload.recorded");
                tracing::info!(size = job.source.size, "uploaded");
                Ok(job)
            }
            Updated::Unchanged(_) => Err(Problem::conflict("the job was cancelled while it was uploaded")),
        }
    }
}

async fn undo(pipeline: &Shared, job: &Job) {
    if let Err(error) = removal::abandon(pipeline, job).await {
        tracing::warn!(job = %job.id, "an upload could not be undone; the sweeper will: {error:#}");
    }
}

/// The sweeper takes an upload for abandoned after eight times this long.
async fn touch(pipeline: Shared, id: Uuid) {
    loop {
        tokio::time::sleep(pipeline.times().stale / 4).await;
        if let Err(error) = pipeline.db.touch(id).await {
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
        let (pipeline, job) = (self.intake.pipeline.clone(), self.job.clone());
        self.intake.pipeline.tasks.spawn(async move {
            tracing::info!(job = %job.id, "an upload broke off");
            undo(&pipeline, &job).await;
        });
    }
}
