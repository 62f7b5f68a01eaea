//! Streams one upload to the object store, and commits it as a job.

use super::{received::Received, sink::Sink};
use crate::http::{
    idempotency::{self, Begun},
    pace::Pace,
    problem::{Code, Problem},
};
use crate::{auth::Caller, state::Intake};
use axum::body::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};
use uuid::Uuid;
use vidp_common::{crash, store::Multipart, trace};
use vidp_contract::{JobOptions, keys};
use vidp_pipeline::{Shared, advance, removal};
use vidp_record::{
    db::Updated,
    job::Job,
    plan,
    source::{SourceState, plain_name, plain_type},
    time::DateTime,
};

/// An upload in progress.
///
/// Dropping a receiver without a commit undoes the upload. axum drops the handler, and with it the receiver, when the
/// client disconnects.
pub(super) struct Receiver {
    intake: Intake,
    job: Job,
    sink: Sink,
    /// Marks the upload as alive at intervals, also while the object store is slow.
    _heartbeat: Option<AbortOnDropHandle<()>>,
    pace: Pace,
    /// Bytes received so far, for the heartbeat.
    received: Arc<AtomicI64>,
}

impl Receiver {
    /// Stores a new job and opens its upload in the object store. `announced` is the size of the request's body in bytes,
    /// which counts for the tenant's quotas until the upload ends.
    pub(super) async fn start(
        intake: &Intake,
        caller: &Caller,
        key: Option<String>,
        options: JobOptions,
        name: &str,
        content_type: &str,
        announced: Option<u64>,
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
        let max = intake.config.max_upload();
        job.source.size = announced.unwrap_or(0).min(max).cast_signed();
        Receiver::begin(intake, job).await
    }

    /// Stores the job as `uploading`, then opens the upload. In this order the sweeper finds the upload if the process dies.
    async fn begin(intake: &Intake, mut job: Job) -> Result<Receiver, Problem> {
        let span = Span::current();
        job.trace = trace::of_span(&span);
        span.record("job", tracing::field::display(job.id));
        span.record("trace_id", job.trace().trace_id());
        // An unavailable store is reported before the client sends the file.
        intake.pipeline.store.check().await?;
        let begun = idempotency::begin(&intake.pipeline, &job).await?;
        let mut receiver = Receiver {
            intake: intake.clone(),
            job,
            sink: Sink::Closed,
            _heartbeat: None,
            pace: Pace::start(intake.config.min_upload_kib_per_second),
            received: Arc::default(),
        };
        if let Begun::Existing(before) = begun {
            receiver.sink = Sink::compare(before);
            return Ok(receiver);
        }
        crash::step("upload.inserted");
        let (pipeline, received) = (intake.pipeline.clone(), receiver.received.clone());
        let heartbeat = tokio::spawn(touch(pipeline, receiver.job.id, received));
        receiver._heartbeat = Some(AbortOnDropHandle::new(heartbeat));
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

    /// Writes bytes of the file. 413 above the size limit, 408 below the minimum rate.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Problem> {
        if self.sink.size() + bytes.len() as u64 > self.intake.config.max_upload() {
            return Err(Problem::too_large(self.intake.config.max_upload_mb));
        }
        self.pace.record(bytes.len())?;
        self.received.fetch_add(bytes.len() as i64, Ordering::Relaxed);
        self.sink.write(bytes).await
    }

    /// SHA-256 of the bytes written so far, in hexadecimal.
    pub(super) fn sha256(&self) -> String {
        self.sink.sha256()
    }

    /// Completes the upload, records the job and publishes its first tasks, in this order.
    ///
    /// The work runs in a separate task, which a client that disconnects does not interrupt.
    pub(super) async fn commit(mut self, options: JobOptions) -> Result<Received, Problem> {
        if self.sink.size() == 0 {
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

    /// Completes the object and records that the job is uploaded.
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
            Updated::Unchanged(_) => Err(Problem::conflict("the job was cancelled during the upload")),
        }
    }
}

/// Abandons the upload and its job.
async fn undo(pipeline: &Shared, job: &Job) {
    if let Err(error) = removal::abandon(pipeline, job).await {
        tracing::warn!(job = %job.id, "an upload could not be undone; the sweeper retries: {error:#}");
    }
}

/// Marks an upload as alive every `stale / 4`. The sweeper abandons an upload after eight missed intervals.
async fn touch(pipeline: Shared, id: Uuid, received: Arc<AtomicI64>) {
    loop {
        tokio::time::sleep(pipeline.times().stale / 4).await;
        let received = received.load(Ordering::Relaxed);
        if let Err(error) = pipeline.db.touch(id, received).await {
            tracing::debug!(job = %id, %error, "an upload could not be marked as alive");
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // A committed upload undoes itself on failure; the other destinations have stored nothing.
        let Sink::Store(upload) = std::mem::replace(&mut self.sink, Sink::Closed) else {
            return;
        };
        drop(upload);
        let (pipeline, job) = (self.intake.pipeline.clone(), self.job.clone());
        self.intake.pipeline.tasks.spawn(async move {
            tracing::info!(job = %job.id, "an upload ended early");
            undo(&pipeline, &job).await;
        });
    }
}
