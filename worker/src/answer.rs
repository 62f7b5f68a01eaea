//! The end of a delivery: how each outcome is answered to the broker.

use super::{
    attempt::{Attempt, TaskError},
    commit,
    delivery::{Delivery, End, Worker},
    lease::Lease,
};
use async_nats::jetstream::{AckKind, Message};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use vidp_common::metrics;
use vidp_contract::{FailureCode, Outcome, TaskResult, Timings};

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
            End::Retry(error) if delivery.number >= delivery.task.attempt_limit => {
                tracing::error!("attempts exhausted: {error:#}");
                if let Err(error) = self
                    .queue
                    .bury(self.stage.as_str(), message, &format!("{error:#}"))
                    .await
                {
                    tracing::warn!("the task could not be copied to the dead stream: {error}");
                }
                metrics::buried(self.stage);
                let outcome = Outcome::Failed {
                    code: FailureCode::AttemptsExhausted,
                    detail: format!("none of {} attempts succeeded", delivery.number),
                };
                self.publish(delivery, self.result(delivery, outcome, Timings::default()))
                    .await;
            }
            End::Retry(error) => {
                tracing::warn!("the attempt failed and will be retried: {error:#}");
                metrics::task_ended(self.stage, "retried", "");
                // While the store is down or full, the next attempts would fail too and use up the limit.
                let check = async || Ok(self.store.honours_conditional_writes().await.map(drop)?);
                let kind = match self.retry_store(delivery, check).await {
                    Ok(()) => AckKind::Nak(Some(retry_delay(delivery.number))),
                    Err(End::HandOver) => AckKind::Nak(None),
                    Err(_) => return,
                };
                lease.end(kind).await;
            }
            End::HandOver => {
                tracing::info!("the task was handed over");
                metrics::task_ended(self.stage, "retried", "");
                lease.end(AckKind::Nak(None)).await;
            }
            End::Cancelled => {
                tracing::info!("the task was cancelled");
                metrics::task_ended(self.stage, "cancelled", "");
                lease.end(AckKind::Term).await;
            }
            End::Lost => {
                tracing::warn!("the lease was lost; the attempt was stopped");
                metrics::task_ended(self.stage, "abandoned", "");
            }
        }
    }

    /// Publishes the result; counts and logs how the task ended.
    async fn publish(&self, delivery: &Delivery, result: TaskResult) {
        let (outcome, code, timings) = (result.outcome.name(), result.outcome.code(), result.timings);
        if !commit::publish(&self.queue, &delivery.lease, &delivery.trace, result).await {
            tracing::warn!("the lease was lost before the result was stored");
            return metrics::task_ended(self.stage, "abandoned", "");
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
fn retry_delay(number: u32) -> Duration {
    Duration::from_secs(match number {
        0 | 1 => 1,
        2 => 5,
        3 => 15,
        _ => 45,
    })
}
