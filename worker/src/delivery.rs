//! One delivered message: decoding, work, and the answer to the broker.

use super::{
    attempt::{Attempt, TaskError},
    cancels::Cancels,
    commit,
    lease::Lease,
    tally::Tally,
};
use async_nats::jetstream::Message;
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant, SystemTime},
};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vidp_common::{
    LogOnce, crash,
    manifest::{self, Manifest},
    metrics,
    queue::Queue,
    store::{Store, StoreError},
    trace,
};
use vidp_contract::{
    FailureCode, Outcome, PartOffer, Stage, Task, TaskResult, Timings, TraceParent, streams,
};

/// Pause between retries while the store is down.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// State shared by all deliveries of this worker.
pub(super) struct Worker<H> {
    pub(super) stage: Stage,
    pub(super) name: String,
    pub(super) queue: Queue,
    pub(super) store: Store,
    pub(super) scratch: PathBuf,
    pub(super) task_timeout: Duration,
    pub(super) ack_wait: Duration,
    /// Cancellations that this worker has received.
    pub(super) cancels: Cancels,
    /// The time from which this worker takes offered parts: later, after it has refused one.
    pub(super) parts_from: Mutex<Instant>,
    /// Cancelled when running attempts must be handed over to other workers.
    pub(super) stop: CancellationToken,
    pub(super) handler: H,
}

/// One delivery of a task, or of an offered part of it.
pub(super) struct Delivery {
    pub(super) task: Task,
    /// The offered part; `None` for the whole task.
    pub(super) part: Option<PartOffer>,
    /// Number of the delivery, from 1.
    pub(super) number: u32,
    /// Seconds between the publication and this delivery.
    pub(super) queued: f64,
    /// The cause of the task.
    pub(super) trace: TraceParent,
    pub(super) lease: Lease,
    /// True when the note says that this delivery has finished a part.
    pub(super) has_advanced: Arc<AtomicBool>,
}

/// The end of a delivery.
pub(super) enum End {
    /// The stage has its result.
    Result(TaskResult),
    /// Give the task back; the next attempt starts after a delay.
    Retry(anyhow::Error),
    /// Give the task back without a delay, because this worker stops.
    HandOver,
    /// The result is no longer needed.
    Cancelled,
    /// Another worker may have the task: this one sends no answer.
    Lost,
}

impl<H, F, R> Worker<H>
where
    H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, TaskError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    /// Processes one message and answers it to the broker.
    pub(super) async fn deliver(&self, message: Message) {
        let Some(lease) = Lease::start(self.queue.client(), &message, self.ack_wait) else {
            return;
        };
        if message.subject.starts_with(streams::PARTS_PREFIX) {
            return self.assist(lease, &message).await;
        }
        let delivery = match decode(self.stage, &message) {
            Ok((task, number, queued)) => Delivery {
                trace: cause(&message, &task),
                task,
                part: None,
                number,
                queued,
                lease,
                has_advanced: Arc::default(),
            },
            Err(reason) => return self.bury(&lease, &message, &reason).await,
        };
        let (job, attempt) = (delivery.task.job_id, delivery.number);
        crash::step("delivery.decoded");
        let trace_id = delivery.trace.trace_id();
        let span =
            tracing::info_span!("task", otel.kind = "consumer", %job, stage = %self.stage, attempt, trace_id);
        trace::adopt(&delivery.trace, &span);
        // A later delivery waited for the attempts before it, which have their own spans.
        if delivery.number == 1 {
            let (now, waited) = (SystemTime::now(), Duration::from_secs_f64(delivery.queued));
            trace::past(&span, "queue wait", now.checked_sub(waited).unwrap_or(now), now);
            metrics::task_phase(self.stage, "queue", waited);
        }
        self.work(&delivery, &message).instrument(span).await;
    }

    /// Runs the task unless its result is known already, and answers the broker.
    async fn work(&self, delivery: &Delivery, message: &Message) {
        let _running = metrics::Running::start(self.stage);
        let end = match self.retry_store(delivery, || self.before_work(delivery)).await {
            Ok(Some(result)) => End::Result(result),
            Ok(None) => match self.attempt(delivery).await {
                End::Result(result) => {
                    crash::step("delivery.worked");
                    self.record_phases(&result.timings);
                    self.claim(delivery, result).await
                }
                other => other,
            },
            Err(end) => end,
        };
        self.answer(delivery, message, end).await;
    }

    /// The result of a task that needs no work: it was done before, its attempts are used up, or its deadline has passed.
    async fn before_work(&self, delivery: &Delivery) -> anyhow::Result<Option<TaskResult>> {
        let Delivery { task, number, .. } = delivery;
        let found = self.committed(task).await?;
        let is_invalid = match found.map(commit::adopt) {
            Some(Some(result)) => return Ok(Some(result)),
            invalid => invalid.is_some(),
        };
        let earlier = Tally::read(&self.store, task, number - 1).await?;
        if let Some(ended) = earlier.last {
            tracing::info!(before = ended.as_str(), "the task was delivered again");
            metrics::redelivered(self.stage, ended.as_str());
        }
        let (code, detail) = if is_invalid {
            (FailureCode::Internal, commit::INVALID.to_owned())
        } else if let Some(failure) = earlier.failure(task.attempt_limit) {
            failure
        } else if OffsetDateTime::now_utc() > task.deadline {
            (
                FailureCode::TimedOut,
                "the job waited past its deadline".to_owned(),
            )
        } else {
            return Ok(None);
        };
        let outcome = Outcome::Failed { code, detail };
        Ok(Some(self.result(delivery, outcome, Timings::default())))
    }

    /// The committed result of the task's stage, if there is one.
    pub(super) async fn committed(&self, task: &Task) -> Result<Option<Manifest>, StoreError> {
        match manifest::read(&self.store, task.job_id, self.stage, task.task_id).await {
            // AWS S3 answers so for a missing object, because a worker may not list.
            Err(StoreError::Denied { .. }) => Ok(None),
            read => read,
        }
    }

    /// Commits the result in the store.
    async fn claim(&self, delivery: &Delivery, result: TaskResult) -> End {
        let claim = || commit::claim(&self.store, &delivery.task, &result);
        self.retry_store(delivery, claim)
            .await
            .map_or_else(|end| end, End::Result)
    }

    /// Repeats `work`, which needs only the store, until it succeeds.
    ///
    /// Waits for the end of an outage within the lease: an outage must not use up the attempts of the task or discard
    /// finished work.
    pub(super) async fn retry_store<T, W: Future<Output = anyhow::Result<T>>>(
        &self,
        delivery: &Delivery,
        mut work: impl FnMut() -> W,
    ) -> Result<T, End> {
        let mut outage = LogOnce::default();
        loop {
            match work().await {
                Ok(done) => return Ok(done),
                Err(error) if outage.first_failure() => {
                    tracing::warn!("waiting for the object store: {error:#}")
                }
                Err(_) => {}
            }
            tokio::select! {
                biased;
                () = delivery.lease.lost() => return Err(End::Lost),
                () = self.stop.cancelled() => return Err(End::HandOver),
                () = tokio::time::sleep(STORE_PAUSE) => {}
            }
        }
    }

    /// Records the phases of this attempt. Not called for the result of an earlier attempt.
    fn record_phases(&self, timings: &Timings) {
        let phases = [
            ("fetch", timings.fetch),
            ("process", timings.process),
            ("store", timings.store),
        ];
        for (phase, seconds) in phases.into_iter().filter(|(_, seconds)| *seconds > 0.0) {
            metrics::task_phase(self.stage, phase, Duration::from_secs_f64(seconds));
        }
    }

    /// The result of this delivery with an outcome.
    pub(super) fn result(&self, delivery: &Delivery, outcome: Outcome, timings: Timings) -> TaskResult {
        TaskResult {
            task_id: delivery.task.task_id,
            job_id: delivery.task.job_id,
            stage: self.stage,
            attempt: delivery.number,
            outcome,
            timings,
            worker: self.name.clone(),
        }
    }
}

/// The cause of a message about a task.
pub(super) fn cause(message: &Message, task: &Task) -> TraceParent {
    trace::of_message(message.headers.as_ref()).unwrap_or_else(|| TraceParent::of_job(task.job_id))
}

/// The number of the delivery of a message, from 1, and its seconds in the queue.
pub(super) fn numbered(message: &Message) -> Result<(u32, f64), String> {
    let info = message
        .info()
        .map_err(|error| format!("no delivery information: {error}"))?;
    let queued = OffsetDateTime::now_utc() - info.published;
    Ok((
        u32::try_from(info.delivered.max(1)).unwrap_or(u32::MAX),
        queued.as_seconds_f64().max(0.0),
    ))
}

/// Decodes a message: the task, its delivery number and its seconds in the queue. The error says why it is not a task.
fn decode(stage: Stage, message: &Message) -> Result<(Task, u32, f64), String> {
    let (number, queued) = numbered(message)?;
    let task: Task =
        serde_json::from_slice(&message.payload).map_err(|error| format!("not a task: {error}"))?;
    match task.work.stage() {
        own if own == stage => Ok((task, number, queued)),
        other => Err(format!("a task of stage {other} in the queue of {stage}")),
    }
}
