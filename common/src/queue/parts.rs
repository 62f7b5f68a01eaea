//! Offers of parts: work of a running task that other workers of its stage may take.
//!
//! The worker of the task offers parts. Before it makes an offered part itself, it withdraws the offer. The broker knows the
//! state of each offer:
//! - An offer with a sequence number above the last delivered one waits.
//! - An offer with another number was delivered to a worker.
//! - An offer that no longer exists has ended.

use super::{
    connection::Queue,
    error::{QueueError, timely},
    publish::encode,
};
use crate::trace;
use async_nats::jetstream::stream::DeleteMessageErrorKind;
use uuid::Uuid;
use vidp_contract::{PartOffer, TraceParent, streams};

impl Queue {
    /// Offers a part and returns the sequence number of its message. An offer that exists already stays; `None` when it ended
    /// at this moment.
    pub async fn offer_part(
        &self,
        offer: &PartOffer,
        trace: &TraceParent,
    ) -> Result<Option<u64>, QueueError> {
        let (task, plan, number) = (offer.task.task_id, offer.plan.as_str(), offer.number);
        let headers = trace::headers(trace, &tracing::Span::current());
        let subject = streams::part(task, plan, number);
        match self.publish(subject, headers, encode(offer)).await {
            Err(error) if error.is_already_stored() => self.offered_part(task, plan, number).await,
            published => published.map(Some),
        }
    }

    /// Sequence number of the offer of a part; `None` when it has ended.
    pub async fn offered_part(
        &self,
        task_id: Uuid,
        plan: &str,
        number: u32,
    ) -> Result<Option<u64>, QueueError> {
        let subject = streams::part(task_id, plan, number);
        let found = self.last(streams::PARTS, &subject).await?;
        Ok(found.map(|message| message.sequence))
    }

    /// Largest sequence number of an offer that was delivered to a worker.
    pub async fn delivered_parts(&self) -> Result<u64, QueueError> {
        let info = self
            .consumer_info(streams::PARTS, streams::PARTS_CONSUMER)
            .await?;
        Ok(info.map_or(0, |info| info.delivered.stream_sequence))
    }

    /// Withdraws an offer. One that does not exist is no error.
    pub async fn withdraw_part(&self, sequence: u64) -> Result<(), QueueError> {
        let stream = self.stream(streams::PARTS).await?;
        let delete = async {
            match stream.delete_message(sequence).await {
                // The broker has no distinct error code for a message that does not exist.
                Err(error) if matches!(error.kind(), DeleteMessageErrorKind::JetStream(_)) => Ok(()),
                other => other.map(drop),
            }
        };
        timely("withdraw", delete).await
    }
}
