//! The interface of a handler: the attempt that it receives, and the errors that it returns.

use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;
use vidp_common::{
    crash,
    store::{Store, StoreError},
};
use vidp_contract::{FailureCode, Output, Progress, SkipCode, Task, Timings, keys};

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

/// One delivery of a task, from the view of the handler.
pub struct Attempt {
    /// The task to work on.
    pub task: Task,
    /// Delivery number of the task, from 1.
    pub number: u32,
    /// Id of this attempt, which is part of the keys of its outputs.
    pub id: Uuid,
    /// Cancelled when the job is cancelled, the lease is lost or the worker stops. The handler must then stop soon.
    pub cancel: CancellationToken,
    /// An empty folder for this attempt only. It is always removed afterwards.
    pub scratch: PathBuf,
    /// The object store.
    pub store: Store,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) outputs: Mutex<Vec<Output>>,
    pub(super) timings: Mutex<Timings>,
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
            // The network may cause it once. A second attempt with the same result confirms it.
            Err(TaskError::Fail {
                code: FailureCode::SourceCorrupt,
                detail,
            }) if self.number == 1 => return Err(TaskError::Retry(anyhow::anyhow!(detail))),
            downloaded => downloaded?,
        }
        self.add_time(|timings| timings.fetch += started.elapsed().as_secs_f64());
        crash::step("delivery.fetched");
        Ok(path)
    }

    /// A URL with which a child program can read ranges of the source for the duration `valid`.
    pub async fn source_url(&self, valid: Duration) -> Result<String, TaskError> {
        Ok(self.store.presign(&self.task.source.key, valid).await?)
    }

    /// Stores a finished file as the output `name`, which is one of the fixed names of the stage.
    pub async fn put(&self, name: &str, path: &Path, content_type: &str) -> Result<Output, TaskError> {
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
