//! One attempt: runs the handler until it ends or must stop.

use super::{
    attempt::{Attempt, TaskError},
    delivery::{Delivery, End, Worker},
};
use anyhow::anyhow;
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument;
use uuid::Uuid;
use vidp_common::queue::Queue;
use vidp_contract::{FailureCode, MAX_DETAIL, Outcome, Progress, Success, Timings};

/// Minimum interval between two progress messages.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Time limit for a cancelled handler to stop before it is dropped.
const STOP_LIMIT: Duration = Duration::from_millis(2500);

impl<H, F, R> Worker<H>
where
    H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, TaskError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    /// Runs the handler once, in a scratch folder that is removed afterwards.
    pub(super) async fn attempt(&self, delivery: &Delivery) -> End {
        let task = &delivery.task;
        if self.cancels.include(task) {
            return End::Cancelled;
        }
        // A program that cleans the disk may have removed the folder of an idle worker.
        let scratch =
            std::fs::create_dir_all(&self.scratch).and_then(|()| tempfile::tempdir_in(&self.scratch));
        let scratch = match scratch {
            Ok(folder) => folder,
            Err(error) => return End::Retry(anyhow!(error).context("scratch folder")),
        };
        let (progress, changes) = watch::channel(Progress {
            task_id: task.task_id,
            job_id: task.job_id,
            stage: self.stage,
            attempt: delivery.number,
            progress: 0.0,
            phase: "start".to_owned(),
            speed: None,
            parts: None,
            stream: None,
            worker: self.name.clone(),
        });
        // The progress of a part is that of its task, which another worker runs.
        let _progress = delivery
            .part
            .is_none()
            .then(|| AbortOnDropHandle::new(tokio::spawn(send_progress(self.queue.clone(), changes))));
        let attempt = Arc::new(Attempt {
            task: task.clone(),
            number: delivery.number,
            id: Uuid::now_v7(),
            cancel: CancellationToken::new(),
            scratch: scratch.path().to_owned(),
            store: self.store.clone(),
            queue: self.queue.clone(),
            trace: delivery.trace.clone(),
            part: delivery.part.clone(),
            progress,
            outputs: Mutex::default(),
            has_advanced: delivery.has_advanced.clone(),
            timings: Mutex::new(Timings {
                queued: delivery.queued,
                ..Timings::default()
            }),
        });
        let started = Instant::now();
        // In a separate task, so that a panic ends the attempt and not the worker.
        let handler = (self.handler)(attempt.clone()).instrument(tracing::Span::current());
        let mut handler = AbortOnDropHandle::new(tokio::spawn(handler));
        let stopped = tokio::select! {
            // In this order: after a freeze several branches may be ready at once.
            biased;
            () = delivery.lease.lost() => End::Lost,
            ended = &mut handler => {
                return match outcome(ended, &attempt, started.elapsed()) {
                    Ok((outcome, timings)) => End::Result(self.result(delivery, outcome, timings)),
                    Err(error) => End::Retry(error),
                };
            }
            () = self.cancels.cancelled(task) => End::Cancelled,
            () = self.stop.cancelled() => End::HandOver,
            () = tokio::time::sleep(self.task_timeout) => {
                let outcome = Outcome::Failed {
                    code: FailureCode::TimedOut,
                    detail: format!("the work took longer than {} s", self.task_timeout.as_secs()),
                };
                End::Result(self.result(delivery, outcome, *attempt.timings.lock()))
            }
        };
        attempt.cancel.cancel();
        // The handler kills its children. A handler that does not stop in time is dropped, which kills them too.
        let _ = tokio::time::timeout(STOP_LIMIT, handler).await;
        stopped
    }
}

/// Converts the end of the handler to an outcome. An error means a retry.
fn outcome<R: Serialize>(
    ended: Result<Result<R, TaskError>, tokio::task::JoinError>,
    attempt: &Attempt,
    elapsed: Duration,
) -> anyhow::Result<(Outcome, Timings)> {
    let mut timings = *attempt.timings.lock();
    timings.process = (elapsed.as_secs_f64() - timings.fetch - timings.store).max(0.0);
    let outcome = match ended {
        Ok(Ok(report)) => {
            let serde_json::Value::Object(report) = serde_json::to_value(report)? else {
                return Err(anyhow!("the report is not a JSON object"));
            };
            let mut outputs = std::mem::take(&mut *attempt.outputs.lock());
            // Outputs are stored concurrently, so that their order varies.
            outputs.sort_by(|a, b| a.name.cmp(&b.name));
            Outcome::Succeeded(Success { outputs, report })
        }
        Ok(Err(TaskError::Fail { code, detail })) => Outcome::Failed {
            code,
            // A character has at most 4 bytes.
            detail: detail.chars().take(MAX_DETAIL / 4).collect(),
        },
        Ok(Err(TaskError::Skip(code))) => Outcome::Skipped { code },
        Ok(Err(TaskError::Retry(error))) => return Err(error),
        Ok(Err(TaskError::Cancelled)) => {
            return Err(anyhow!("the handler stopped although it was not cancelled"));
        }
        Err(error) => return Err(anyhow!("the handler panicked: {error}")),
    };
    Ok((outcome, timings))
}

/// Sends the latest progress after each change; the first message at once, and that of a stream's first part.
async fn send_progress(queue: Queue, mut changes: watch::Receiver<Progress>) {
    loop {
        let progress = changes.borrow_and_update().clone();
        if let Err(error) = queue.progress(&progress).await {
            tracing::debug!(%error, "progress was not sent");
        }
        let begins = |now: &Progress| progress.stream.is_none() && now.stream.is_some();
        let has_begun = tokio::select! {
            () = tokio::time::sleep(PROGRESS_INTERVAL) => false,
            begun = changes.wait_for(begins) => begun.is_ok(),
        };
        if !has_begun && changes.changed().await.is_err() {
            return;
        }
    }
}
