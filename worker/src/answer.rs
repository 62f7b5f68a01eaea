//! The end of a delivery: how each outcome is answered to the broker.

use super::{
    attempt::{Attempt, TaskError},
    commit,
    delivery::{Delivery, End, Worker},
    lease::Lease,
    tally::{Ended, Tally},
};
use async_nats::jetstream::{AckKind, Message};
use serde::Serialize;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use vidp_common::{crash, metrics};
use vidp_contract::{Outcome, TaskResult, Timings};

/// Time limit of a note about the end of a delivery. A stopping worker has 4 s for the hand-over as a whole.
const NOTE_LIMIT: Duration = Duration::from_secs(1);

impl<H, F, R> Worker<H>
where
    H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, TaskError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    /// Answers the broker: publishes a result, gives the task back, or ends it.
    pub(super) async fn answer(&self, delivery: &Delivery, message: &Message, end: End) {
        let lease = &delivery.lease;
        // The manifest does not fence failures and give-backs: a worker whose lease expired must not send them.
        let end = if lease.holds() { end } else { End::Lost };
        match end {
            End::Result(result) => self.publish(delivery, result).await,
            End::Retry(error) => self.fail(delivery, message, error).await,
            End::HandOver => self.hand_over(delivery).await,
            End::Cancelled => {
                tracing::info!("the task was cancelled");
                metrics::task_ended(self.stage, "cancelled", "");
                lease.end(AckKind::Term).await;
            }
            End::Lost => self.abandon(delivery).await,
        }
    }

    /// Ends a failed attempt: gives the task back, or fails its stage when this was the last attempt.
    async fn fail(&self, delivery: &Delivery, message: &Message, error: anyhow::Error) {
        let (task, number) = (&delivery.task, delivery.number);
        // While the store is down or full, the next attempts would fail too and use up the limit: this waits for it.
        let used = async || {
            Ended::Failed.note(&self.store, task, number).await?;
            let tally = match number < task.attempt_limit {
                true => Tally::default(),
                false => Tally::read(&self.store, task, number).await?,
            };
            Ok(tally.failure(task.attempt_limit))
        };
        let (code, detail) = match self.retry_store(delivery, used).await {
            Ok(Some(failure)) => failure,
            Ok(None) => {
                tracing::warn!("the attempt failed and will be retried: {error:#}");
                metrics::task_ended(self.stage, "retried", "");
                return delivery.lease.end(AckKind::Nak(Some(retry_delay(number)))).await;
            }
            Err(End::HandOver) => return self.hand_over(delivery).await,
            Err(_) => return self.abandon(delivery).await,
        };
        tracing::error!("attempts exhausted: {error:#}");
        if let Err(error) = self
            .queue
            .bury(self.stage.as_str(), message, &format!("{error:#}"))
            .await
        {
            tracing::warn!("the task could not be copied to the dead stream: {error}");
        }
        metrics::buried(self.stage);
        let outcome = Outcome::Failed { code, detail };
        self.publish(delivery, self.result(delivery, outcome, Timings::default()))
            .await;
    }

    /// Gives the task to another worker, because this one stops.
    ///
    /// The note comes first: once the broker has the answer, the next worker may read the notes. Without the store it is
    /// missing, and the hand-over counts as an attempt. A delivery that has finished a part has its note already: the number
    /// of hand-overs bounds those that change nothing.
    async fn hand_over(&self, delivery: &Delivery) {
        if !delivery.has_advanced.load(Ordering::Relaxed) {
            self.note(delivery, Ended::HandedOver).await;
        }
        crash::step("handover.noted");
        tracing::info!("the task was handed over");
        metrics::task_ended(self.stage, "handed_over", "");
        delivery.lease.end(AckKind::Nak(None)).await;
    }

    /// Ends an attempt without an answer: another worker may have the task.
    async fn abandon(&self, delivery: &Delivery) {
        tracing::warn!("the lease was lost; the attempt was stopped");
        metrics::task_ended(self.stage, "abandoned", "");
        self.note(delivery, Ended::Failed).await;
    }

    /// Leaves a note about the end of this delivery, if the store answers in time.
    async fn note(&self, delivery: &Delivery, ended: Ended) {
        let note = ended.note(&self.store, &delivery.task, delivery.number);
        let noted = tokio::time::timeout(NOTE_LIMIT, note).await;
        if !matches!(noted, Ok(Ok(()))) {
            tracing::warn!(
                end = ended.as_str(),
                "the end of the attempt could not be noted and counts as a death"
            );
        }
    }

    /// Publishes the result; counts and logs how the task ended.
    async fn publish(&self, delivery: &Delivery, result: TaskResult) {
        let (outcome, code, timings) = (result.outcome.name(), result.outcome.code(), result.timings);
        if !commit::publish(&self.queue, &delivery.lease, &delivery.trace, result).await {
            return self.abandon(delivery).await;
        }
        metrics::task_ended(self.stage, outcome, code);
        let Timings {
            queued,
            fetch,
            process,
            store,
        } = timings;
        tracing::info!(outcome, code, queued, fetch, process, store, "the task ended");
    }

    /// Moves a message that cannot be processed to the dead stream.
    pub(super) async fn bury(&self, lease: &Lease, message: &Message, reason: &str) {
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

/// Pause before the next attempt: short at first, for a transient fault; longer for an outage.
pub(super) fn retry_delay(number: u32) -> Duration {
    Duration::from_secs(match number {
        0 | 1 => 1,
        2 => 5,
        3 => 15,
        _ => 45,
    })
}
