//! One delivered offer: this worker makes a part of a task that another worker runs.
//!
//! The stored part is the only result. An offer that ends without it is made by the worker of the task, so that a failure here
//! decides nothing about the task.

use super::{
    answer::retry_delay,
    attempt::{Attempt, TaskError},
    delivery::{Delivery, End, Worker, cause, numbered},
    lease::Lease,
};
use async_nats::jetstream::{AckKind, Message};
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use tracing::Instrument;
use vidp_common::{crash, metrics, store::StoreError, trace};
use vidp_contract::{Outcome, PartOffer, Stage};

/// Deliveries of an offer at most. A part that killed three workers is left to the worker of its task, whose attempts count.
const MAX_DELIVERIES: u32 = 3;
/// Time for which a worker takes no offer after it refused one: it may have other settings, and would be faster than those that
/// work.
const REFUSAL_PAUSE: Duration = Duration::from_secs(60);

impl<H, F, R> Worker<H>
where
    H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, TaskError>> + Send + 'static,
    R: Serialize + Send + 'static,
{
    /// Makes an offered part and answers the broker.
    pub(super) async fn assist(&self, lease: Lease, message: &Message) {
        let (offer, number, queued) = match decode(self.stage, message) {
            Ok(decoded) => decoded,
            Err(reason) => {
                tracing::error!(subject = %message.subject, reason, "an offer was discarded");
                return lease.end(AckKind::Term).await;
            }
        };
        let delivery = Delivery {
            trace: cause(message, &offer.task),
            task: offer.task.clone(),
            part: Some(offer),
            number,
            queued,
            lease,
            has_advanced: Arc::default(),
        };
        let (job, part) = (
            delivery.task.job_id,
            delivery.part.as_ref().map(|part| part.number),
        );
        let trace_id = delivery.trace.trace_id();
        let span =
            tracing::info_span!("part", otel.kind = "consumer", %job, stage = %self.stage, part, trace_id);
        trace::adopt(&delivery.trace, &span);
        crash::step("part.taken");
        async {
            let _running = metrics::Running::start(self.stage);
            // An outage of the store must not use up the deliveries of the offer.
            let wanted = async || Ok(self.is_wanted(&delivery).await?);
            let end = match self.retry_store(&delivery, wanted).await {
                Ok(true) => self.attempt(&delivery).await,
                Ok(false) => End::Cancelled,
                Err(end) => end,
            };
            self.answer_offer(&delivery, end).await;
        }
        .instrument(span)
        .await;
    }

    /// False when the stage has its result, or when no other worker should try the part.
    async fn is_wanted(&self, delivery: &Delivery) -> Result<bool, StoreError> {
        let task = &delivery.task;
        if delivery.number > MAX_DELIVERIES || OffsetDateTime::now_utc() > task.deadline {
            return Ok(false);
        }
        Ok(self.committed(task).await?.is_none())
    }

    async fn answer_offer(&self, delivery: &Delivery, end: End) {
        let lease = &delivery.lease;
        let end = if lease.holds() { end } else { End::Lost };
        let (outcome, answer) = match end {
            End::Result(result) => match result.outcome {
                Outcome::Succeeded(_) => ("made", AckKind::Ack),
                other => {
                    tracing::info!(code = other.code(), "the part could not be made here");
                    *self.parts_from.lock() = Instant::now() + REFUSAL_PAUSE;
                    ("refused", AckKind::Term)
                }
            },
            End::Retry(error) => {
                tracing::warn!("the part failed and will be offered again: {error:#}");
                ("retried", AckKind::Nak(Some(retry_delay(delivery.number))))
            }
            End::HandOver => ("handed_over", AckKind::Nak(None)),
            End::Cancelled => ("unwanted", AckKind::Term),
            End::Lost => return metrics::part_ended(self.stage, "abandoned"),
        };
        metrics::part_ended(self.stage, outcome);
        lease.end(answer).await;
    }
}

/// Decodes an offer: its delivery number and its seconds in the queue. The error says why it is none.
fn decode(stage: Stage, message: &Message) -> Result<(PartOffer, u32, f64), String> {
    let (number, queued) = numbered(message)?;
    let offer: PartOffer =
        serde_json::from_slice(&message.payload).map_err(|error| format!("not an offer: {error}"))?;
    offer.check()?;
    match offer.task.work.stage() {
        own if own == stage => Ok((offer, number, queued)),
        other => Err(format!("a part of stage {other} in the queue of {stage}")),
    }
}
