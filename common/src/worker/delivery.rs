//! One delivered message, from decoding to the acknowledgement.

use super::{
    attempt::{Attempt, TaskError, lock},
    commit,
    lease::Lease,
};
use crate::{
    contract::{FailureCode, Outcome, Progress, Stage, Success, Task, TaskResult, Timings},
    metrics,
    queue::Queue,
    store::Store,
};
use anyhow::anyhow;
use async_nats::jetstream::{AckKind, Message};
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use tokio::sync::{broadcast, watch};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument;
use uuid::Uuid;

/// Progress goes out at most once in this time.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);
/// How long a cancelled handler may take to stop before it is dropped.
const STOP_LIMIT: Duration = Duration::from_millis(2500);

/// What every delivery needs.
pub(super) struct Worker<H> {
    pub(super) stage: Stage,
    pub(super) name: String,
    pub(super) queue: Queue,
    pub(super) store: Store,
    pub(super) scratch: PathBuf,
    pub(super) task_timeout: Duration,
    pub(super) ack_wait: Duration,
    /// Ids of cancelled jobs as they are heard.
    pub(super) cancelled_jobs: broadcast::Sender<Uuid>,
    /// Cancelled when running attempts must be handed over.
    pub(super) stop: CancellationToken,
    pub(super) handler: H,
}

/// How an attempt ended.
enum End {
    /// The stage has its result.
    Result(Outcome, Timings),
    /// Give the task back; the next attempt may start after the delay.
    Retry(anyhow::Error),
    /// Give the task back at once: this worker stops.
    HandOver,
    /// Nobody wants the result any more.
    Cancelled,
    /// The lease is lost: somebody else has the task, and this worker says nothing.
    Lost,
}

impl<H, F, R> Worker<H>
where
    H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, TaskError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    /// Deals with one message, whatever comes.
    pub(super) async fn deliver(&self, message: Message) {
        let Some(lease) = Lease::of(self.queue.client(), &message, self.ack_wait) else {
            return;
        };
        let lost = CancellationToken::new();
        let _heartbeat = AbortOnDropHandle::new(tokio::spawn(lease.clone().keep(lost.clone())));
        let (number, queued) = match message.info() {
            Ok(info) => {
                let waited = OffsetDateTime::now_utc() - info.published;
                (
                    u32::try_from(info.delivered).unwrap_or(u32::MAX),
                    waited.as_seconds_f64().max(0.0),
                )
            }
            Err(error) => {
                return self
                    .bury(&lease, &message, &format!("no delivery information: {error}"))
                    .await;
            }
        };
        let task = match serde_json::from_slice::<Task>(&message.payload) {
            Ok(task) if task.work.stage() == self.stage => task,
            Ok(task) => {
                let reason = format!(
                    "a task of stage {} in the queue of {}",
                    task.work.stage(),
                    self.stage
                );
                return self.bury(&lease, &message, &reason).await;
            }
            Err(error) => return self.bury(&lease, &message, &format!("not a task: {error}")).await,
        };
        if number > 1 {
            metrics::redelivered(self.stage);
        }
        let span = tracing::info_span!("task", job = %task.job_id, stage = %self.stage, attempt = number);
        self.work(&lease, &lost, &message, task, number, queued)
            .instrument(span)
            .await;
    }

    async fn work(
        &self,
        lease: &Lease,
        lost: &CancellationToken,
        message: &Message,
        task: Task,
        number: u32,
        queued: f64,
    ) {
        let _running = metrics::Running::start(self.stage);
        let end = match self.before_work(&task, number).await {
            Ok(Some(result)) => {
                commit::publish(&self.queue, lease, lost, &result).await;
                tracing::info!("answered without work: {}", describe(&result.outcome));
                return;
            }
            Ok(None) => self.attempt(&task, number, queued, lost).await,
            Err(error) => End::Retry(error),
        };
        let end = match end {
            End::Result(outcome, timings) => self.commit(lease, lost, &task, number, outcome, timings).await,
            other => other,
        };
        match end {
            End::Result(..) => {}
            End::Retry(error) if number >= task.attempt_limit => {
                tracing::error!("attempts exhausted: {error:#}");
                let outcome = Outcome::Failed {
                    code: FailureCode::AttemptsExhausted,
                    detail: format!("none of {number} attempts came to an end"),
                };
                if let Err(error) = self
                    .queue
                    .bury(self.stage.as_str(), message, &format!("{error:#}"))
                    .await
                {
                    tracing::warn!("no copy in the dead stream: {error}");
                }
                metrics::buried(self.stage);
                let result = self.result(&task, number, outcome, Timings::default());
                commit::publish(&self.queue, lease, lost, &result).await;
            }
            End::Retry(error) => {
                tracing::warn!("will be tried again: {error:#}");
                metrics::task_ended(self.stage, "retried", "");
                lease.end(AckKind::Nak(Some(retry_delay(number)))).await;
            }
            End::HandOver => {
                tracing::info!("handed over");
                metrics::task_ended(self.stage, "retried", "");
                lease.end(AckKind::Nak(None)).await;
            }
            End::Cancelled => {
                tracing::info!("cancelled");
                metrics::task_ended(self.stage, "cancelled", "");
                lease.end(AckKind::Term).await;
            }
            End::Lost => {
                tracing::warn!("the lease was lost; the attempt stops");
                metrics::task_ended(self.stage, "abandoned", "");
            }
        }
    }

    /// A result that needs no work: attempts used up, too late, or done before.
    async fn before_work(&self, task: &Task, number: u32) -> anyhow::Result<Option<TaskResult>> {
        if let Some(result) = commit::committed(&self.store, task).await? {
            return Ok(Some(result));
        }
        // Every earlier attempt that could still speak has said why it failed; these took their worker with them.
        let failure = if number > task.attempt_limit {
            (
                FailureCode::WorkerDied,
                format!("{} workers died on this file", task.attempt_limit),
            )
        } else if OffsetDateTime::now_utc() > task.deadline {
            (
                FailureCode::TimedOut,
                "the job waited past its deadline".to_owned(),
            )
        } else {
            return Ok(None);
        };
        let (code, detail) = failure;
        Ok(Some(self.result(
            task,
            number,
            Outcome::Failed { code, detail },
            Timings::default(),
        )))
    }

    /// Runs the handler until it ends or must stop.
    async fn attempt(&self, task: &Task, number: u32, queued: f64, lost: &CancellationToken) -> End {
        let scratch = match tempfile::tempdir_in(&self.scratch) {
            Ok(folder) => folder,
            Err(error) => return End::Retry(anyhow!(error).context("scratch folder")),
        };
        let (progress, changes) = watch::channel(Progress {
            task_id: task.task_id,
            job_id: task.job_id,
            stage: self.stage,
            attempt: number,
            progress: 0.0,
            phase: "start".to_owned(),
            speed: None,
            worker: self.name.clone(),
        });
        let _progress = AbortOnDropHandle::new(tokio::spawn(send_progress(self.queue.clone(), changes)));
        let attempt = Arc::new(Attempt {
            task: task.clone(),
            number,
            id: Uuid::now_v7(),
            cancel: CancellationToken::new(),
            scratch: scratch.path().to_owned(),
            store: self.store.clone(),
            progress,
            outputs: Mutex::default(),
            timings: Mutex::new(Timings {
                queued,
                ..Timings::default()
            }),
        });
        let mut cancels = self.cancelled_jobs.subscribe();
        let cancelled = async {
            // A lagging receiver has missed some; the API repeats what matters.
            while !matches!(cancels.recv().await, Ok(id) if id == task.job_id) {}
        };
        let started = Instant::now();
        // A task of its own, so that a panic ends the attempt and not the worker.
        let mut handler = AbortOnDropHandle::new(tokio::spawn(
            (self.handler)(attempt.clone()).instrument(tracing::Span::current()),
        ));
        let stopped = tokio::select! {
            ended = &mut handler => return ended_by_itself(ended, &attempt, started.elapsed()),
            () = cancelled => End::Cancelled,
            () = lost.cancelled() => End::Lost,
            () = self.stop.cancelled() => End::HandOver,
            () = tokio::time::sleep(self.task_timeout) => End::Result(Outcome::Failed {
                code: FailureCode::TimedOut,
                detail: format!("the work took longer than {} s", self.task_timeout.as_secs()),
            }, *lock(&attempt.timings)),
        };
        attempt.cancel.cancel();
        // The handler kills its children; what does not stop in time is dropped, which kills them as well.
        let _ = tokio::time::timeout(STOP_LIMIT, handler).await;
        stopped
    }

    async fn commit(
        &self,
        lease: &Lease,
        lost: &CancellationToken,
        task: &Task,
        number: u32,
        outcome: Outcome,
        timings: Timings,
    ) -> End {
        let result = self.result(task, number, outcome, timings);
        let result = match commit::claim(&self.store, task, result).await {
            Ok(result) => result,
            Err(error) => return End::Retry(error),
        };
        if !commit::publish(&self.queue, lease, lost, &result).await {
            return End::Lost;
        }
        let (outcome, code) = describe_parts(&result.outcome);
        metrics::task_ended(self.stage, outcome, code);
        for (phase, seconds) in [
            ("fetch", timings.fetch),
            ("process", timings.process),
            ("store", timings.store),
        ] {
            metrics::task_phase(self.stage, phase, Duration::from_secs_f64(seconds.max(0.0)));
        }
        tracing::info!(?timings, "{}", describe(&result.outcome));
        End::Result(result.outcome, timings)
    }

    fn result(&self, task: &Task, number: u32, outcome: Outcome, timings: Timings) -> TaskResult {
        TaskResult {
            task_id: task.task_id,
            job_id: task.job_id,
            stage: self.stage,
            attempt: number,
            outcome,
            timings,
            worker: self.name.clone(),
        }
    }

    /// Moves a message that nobody can work on to the dead stream.
    async fn bury(&self, lease: &Lease, message: &Message, reason: &str) {
        match self.queue.bury(self.stage.as_str(), message, reason).await {
            Ok(()) => {
                tracing::error!(subject = %message.subject, reason, "moved to the dead stream");
                metrics::buried(self.stage);
                lease.end(AckKind::Term).await;
            }
            Err(error) => {
                tracing::warn!("a message could not be moved to the dead stream yet: {error}");
                lease.end(AckKind::Nak(Some(Duration::from_secs(5)))).await;
            }
        }
    }
}

fn ended_by_itself<R: Serialize>(
    ended: Result<Result<R, TaskError>, tokio::task::JoinError>,
    attempt: &Attempt,
    elapsed: Duration,
) -> End {
    let mut timings = *lock(&attempt.timings);
    timings.process = (elapsed.as_secs_f64() - timings.fetch - timings.store).max(0.0);
    let outcome = match ended {
        Ok(Ok(report)) => match serde_json::to_value(report) {
            Ok(serde_json::Value::Object(report)) => {
                let mut outputs = std::mem::take(&mut *lock(&attempt.outputs));
                // Stored side by side, they come in any order.
                outputs.sort_by(|a, b| a.name.cmp(&b.name));
                Outcome::Succeeded(Success { outputs, report })
            }
            other => return End::Retry(anyhow!("a report that is no object: {other:?}")),
        },
        Ok(Err(TaskError::Fail { code, detail })) => Outcome::Failed { code, detail },
        Ok(Err(TaskError::Skip(code))) => Outcome::Skipped { code },
        Ok(Err(TaskError::Retry(error))) => return End::Retry(error),
        Ok(Err(TaskError::Cancelled)) => {
            return End::Retry(anyhow!("the handler stopped without being told to"));
        }
        Err(error) => return End::Retry(anyhow!("the handler panicked: {error}")),
    };
    End::Result(outcome, timings)
}

/// Sends the newest progress whenever it changed, the first at once.
async fn send_progress(queue: Queue, mut changes: watch::Receiver<Progress>) {
    loop {
        let progress = changes.borrow_and_update().clone();
        if let Err(error) = queue.progress(&progress).await {
            tracing::debug!(%error, "progress was not sent");
        }
        tokio::time::sleep(PROGRESS_INTERVAL).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Seconds before the next attempt: short at first, for a passing fault; longer for an outage.
fn retry_delay(number: u32) -> Duration {
    Duration::from_secs(match number {
        0 | 1 => 1,
        2 => 5,
        3 => 15,
        _ => 45,
    })
}

fn describe_parts(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Succeeded(_) => ("succeeded", ""),
        Outcome::Failed { code, .. } => ("failed", code.as_str()),
        Outcome::Skipped { code } => ("skipped", code.as_str()),
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { code, detail } => format!("failed: {code}: {detail}"),
        other => {
            let (outcome, code) = describe_parts(other);
            format!("{outcome} {code}").trim_end().to_owned()
        }
    }
}
