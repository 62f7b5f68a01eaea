//! What a handler is given, and how it answers.

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

/// How a handler says that it did not succeed. It decides; the loop acts.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Something that may pass: the task goes back to the queue, until its attempts are used up.
    #[error("{0:#}")]
    Retry(anyhow::Error),
    /// Trying again would not help. `detail` is a sentence for the person who uploaded the file.
    #[error("{code}: {detail}")]
    Fail {
        /// Stable code.
        code: FailureCode,
        /// A sentence for users.
        detail: String,
    },
    /// There is nothing to do.
    #[error("skipped: {0}")]
    Skip(SkipCode),
    /// The attempt's token was cancelled and the handler stopped.
    #[error("cancelled")]
    Cancelled,
}

impl TaskError {
    /// A failure with its sentence for users.
    pub fn fail(code: FailureCode, detail: impl Into<String>) -> Self {
        TaskError::Fail {
            code,
            detail: detail.into(),
        }
    }
}

/// An error of this process's own surroundings (disk, pipe, thread): worth another attempt, perhaps elsewhere.
impl From<std::io::Error> for TaskError {
    fn from(error: std::io::Error) -> Self {
        TaskError::Retry(error.into())
    }
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { .. } => {
                TaskError::fail(FailureCode::SourceMissing, "the uploaded file is gone")
            }
            StoreError::Corrupt { .. } => TaskError::fail(
                FailureCode::SourceCorrupt,
                "the stored file is not the one that was uploaded",
            ),
            other => TaskError::Retry(other.into()),
        }
    }
}

/// One delivery of a task, as the handler sees it.
pub struct Attempt {
    /// What to do.
    pub task: Task,
    /// Which delivery this is, from 1.
    pub number: u32,
    /// Names this attempt; its outputs lie below it.
    pub id: Uuid,
    /// Cancelled when the job was cancelled, the lease was lost or the worker must stop: stop soon.
    pub cancel: CancellationToken,
    /// An empty folder of this attempt's own; removed afterwards, whatever happens.
    pub scratch: PathBuf,
    /// The object store.
    pub store: Store,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) outputs: Mutex<Vec<Output>>,
    pub(super) timings: Mutex<Timings>,
}

impl Attempt {
    /// Says how far the attempt is; cheap, sent at most about once a second.
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
            // Once may be the network's fault; a second attempt that finds the same is right.
            Err(TaskError::Fail {
                code: FailureCode::SourceCorrupt,
                detail,
            }) if self.number == 1 => return Err(TaskError::Retry(anyhow::anyhow!(detail))),
            downloaded => downloaded?,
        }
        self.time(|timings| timings.fetch += started.elapsed().as_secs_f64());
        crash::step("delivery.fetched");
        Ok(path)
    }

    /// A URL under which a child program can read parts of the source for the next `valid` time.
    pub async fn source_url(&self, valid: Duration) -> Result<String, TaskError> {
        Ok(self.store.presign(&self.task.source.key, valid).await?)
    }

    /// Stores a finished file as the output `name`; `name` is one of the stage's fixed names.
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
                // What is missing or wrong here is an output, not the source: never the uploader's fault.
                TaskError::Fail { detail, .. } => TaskError::Retry(anyhow::anyhow!("{name}: {detail}")),
                other => other,
            })?;
        self.time(|timings| timings.store += started.elapsed().as_secs_f64());
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

    fn time(&self, add: impl FnOnce(&mut Timings)) {
        add(&mut self.timings.lock());
    }
}
