//! The interface of a handler: the attempt that it receives, and the errors that it returns.

use super::tally::Tally;
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;
use vidp_common::{
    crash,
    queue::Queue,
    store::{Blocks, Ranges, Store, StoreError},
};
use vidp_contract::{
    FailureCode, Output, OutputFile, PartCounts, PartOffer, Progress, SkipCode, Task, Timings, TraceParent,
    keys,
};

/// Reason why a handler did not succeed. The handler decides, and the loop acts.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A transient error: the task returns to the queue until its attempts are used up.
    #[error("{0:#}")]
    Retry(anyhow::Error),
    /// A permanent error: a retry would fail too. `detail` is a sentence for the person who uploaded the file.
    #[error("{code}: {detail}")]
    Fail {
        /// The stable code.
        code: FailureCode,
        /// A sentence for users.
        detail: String,
    },
    /// The stage has nothing to do.
    #[error("skipped: {0}")]
    Skip(SkipCode),
    /// The token of the attempt was cancelled, and the handler stopped.
    #[error("cancelled")]
    Cancelled,
}

impl TaskError {
    /// A permanent error with its sentence for users.
    pub fn fail(code: FailureCode, detail: impl Into<String>) -> Self {
        TaskError::Fail {
            code,
            detail: detail.into(),
        }
    }
}

/// An error of the machine (disk, pipe, thread): a retry may succeed, perhaps on another one.
impl From<std::io::Error> for TaskError {
    fn from(error: std::io::Error) -> Self {
        TaskError::Retry(error.into())
    }
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { .. } => {
                TaskError::fail(FailureCode::SourceMissing, "the uploaded file no longer exists")
            }
            StoreError::Corrupt { .. } => TaskError::fail(
                FailureCode::SourceCorrupt,
                "the stored file differs from the one that was uploaded",
            ),
            other => TaskError::Retry(other.into()),
        }
    }
}

/// One delivery of a task, or of an offered part of it, from the view of the handler.
pub struct Attempt {
    /// The task to work on.
    pub task: Task,
    /// Number of the delivery of the task, or of the offer, from 1. Failures, deaths of workers and hand-overs each cause
    /// another delivery.
    pub number: u32,
    /// Id of this attempt, which is part of the keys of its outputs.
    pub id: Uuid,
    /// Cancelled when the job is cancelled, the lease is lost or the worker stops. The handler must then stop soon.
    pub cancel: CancellationToken,
    /// An empty folder for this attempt only. It is always removed afterwards.
    pub scratch: PathBuf,
    /// The object store.
    pub store: Store,
    /// The message broker.
    pub queue: Queue,
    /// The cause of the task.
    pub trace: TraceParent,
    /// The part to make; `None` when the attempt works on the whole task.
    pub part: Option<PartOffer>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) outputs: Mutex<Vec<Output>>,
    pub(super) timings: Mutex<Timings>,
    /// True when this attempt has left the note that it finished a part.
    pub(super) has_advanced: Arc<AtomicBool>,
}

impl Attempt {
    /// Reports progress. Cheap: at most about one message a second is sent.
    ///
    /// `share` is 0 to 1 over the whole attempt; `speed` is seconds of media per second.
    pub fn progress(&self, phase: &str, share: f64, speed: Option<f64>) {
        self.progress.send_modify(|progress| {
            progress.phase.replace_range(.., phase);
            progress.progress = share.clamp(progress.progress, 1.0);
            progress.speed = speed;
        });
    }

    /// Reports the number of all parts of the work, of those that are made, and of those that workers make now; `None` when
    /// the work is done in one piece.
    pub fn progress_of_parts(&self, parts: Option<(usize, usize, usize)>) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let parts = parts.map(|(total, done, running)| PartCounts {
            total: count(total),
            done: count(done),
            running: count(running),
        });
        self.progress.send_modify(|progress| progress.parts = parts);
    }

    /// Downloads the source to the scratch folder and checks its SHA-256.
    pub async fn fetch_source(&self) -> Result<PathBuf, TaskError> {
        self.progress("fetch", 0.0, None);
        let started = Instant::now();
        let source = &self.task.source;
        let path = self.scratch.join("source");
        let download = self
            .store
            .download(&source.key, &path, source.size, &source.sha256)
            .instrument(tracing::info_span!("fetch", bytes = source.size));
        match self.until_cancelled(download).await {
            // This machine or the network may cause it once. A second attempt with the same result confirms it.
            Err(TaskError::Fail {
                code: FailureCode::SourceCorrupt,
                detail,
            }) if self.is_first().await? => return Err(TaskError::Retry(anyhow::anyhow!(detail))),
            downloaded => downloaded?,
        }
        self.add_time(|timings| timings.fetch += started.elapsed().as_secs_f64());
        crash::step("delivery.fetched");
        Ok(path)
    }

    /// True when no attempt before this one failed. Hand-overs do not count.
    async fn is_first(&self) -> Result<bool, TaskError> {
        Ok(Tally::read(&self.store, &self.task, self.number - 1)
            .await?
            .used()
            == 0)
    }

    /// Serves ranges of the source to a child program. [`Ranges::check`] tells afterwards whether it got all it asked for.
    pub fn source_ranges(&self, blocks: Option<Blocks>) -> Result<Ranges, TaskError> {
        let source = &self.task.source;
        Ok(Ranges::start(&self.store, &source.key, source.size, blocks)?)
    }

    /// Stores a finished file as an output of the stage.
    pub async fn put(&self, file: &OutputFile, path: &Path) -> Result<Output, TaskError> {
        let (name, content_type) = (file.name.as_ref(), file.content_type);
        let started = Instant::now();
        let key = keys::output(&self.task.output_prefix, self.id, name);
        let stored = self
            .until_cancelled(
                self.store
                    .upload(&key, path, content_type)
                    .instrument(tracing::info_span!("store", output = name)),
            )
            .await
            .map_err(|error| match error {
                // An output is missing or corrupt here, not the source: this is never the fault of the uploader.
                TaskError::Fail { detail, .. } => TaskError::Retry(anyhow::anyhow!("{name}: {detail}")),
                other => other,
            })?;
        self.add_time(|timings| timings.store += started.elapsed().as_secs_f64());
        crash::step("delivery.output-stored");
        let output = Output {
            name: name.to_owned(),
            key,
            size: stored.size,
            sha256: stored.sha256,
            content_type: content_type.to_owned(),
        };
        self.outputs.lock().push(output.clone());
        Ok(output)
    }

    async fn until_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, TaskError> {
        tokio::select! {
            done = work => Ok(done?),
            () = self.cancel.cancelled() => Err(TaskError::Cancelled),
        }
    }

    fn add_time(&self, add: impl FnOnce(&mut Timings)) {
        add(&mut self.timings.lock());
    }
}
