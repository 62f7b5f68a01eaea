//! A delivered message's lease: kept by heartbeats, ended by one final word.

use async_nats::{Client, Message, Subject, jetstream::AckKind};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The right to work on one delivery.
#[derive(Clone)]
pub(super) struct Lease {
    client: Client,
    reply: Subject,
    ack_wait: Duration,
}

impl Lease {
    /// `None` for a message that did not come from a stream.
    pub(super) fn of(client: &Client, message: &Message, ack_wait: Duration) -> Option<Lease> {
        Some(Lease {
            client: client.clone(),
            reply: message.reply.clone()?,
            ack_wait,
        })
    }

    /// Extends the lease until dropped; cancels `lost` when that failed for too long.
    ///
    /// A heartbeat is a request: only the answer proves that it arrived. After 0.8 of the lease without one, another
    /// worker may be about to get the task, and this one stops.
    pub(super) async fn keep(self, lost: CancellationToken) {
        let (interval, fence) = (self.ack_wait / 3, self.ack_wait.mul_f64(0.8));
        let mut confirmed = Instant::now();
        while confirmed.elapsed() < fence {
            tokio::time::sleep(interval.min(fence.saturating_sub(confirmed.elapsed()))).await;
            let sent = Instant::now();
            // No request outlives the fence: it would be waited for while somebody else begins.
            if self
                .request(AckKind::Progress, fence.saturating_sub(confirmed.elapsed()))
                .await
            {
                confirmed = sent;
            }
        }
        lost.cancel();
    }

    /// Says the final word: acknowledged, given back or terminated. When it does not arrive the lease runs out and
    /// the message is delivered again, which is safe.
    pub(super) async fn end(&self, kind: AckKind) {
        let limit = self.ack_wait / 3;
        if !self.request(kind, limit).await && !self.request(kind, limit).await {
            tracing::warn!("the broker did not confirm an acknowledgement; the task will come again");
        }
    }

    async fn request(&self, kind: AckKind, limit: Duration) -> bool {
        let limit = limit.min(Duration::from_secs(3)).min(self.ack_wait / 3);
        let request = self.client.request(self.reply.clone(), kind.into());
        matches!(tokio::time::timeout(limit, request).await, Ok(Ok(_)))
    }
}
