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
        let interval = self.ack_wait / 3;
        let mut confirmed = Instant::now();
        loop {
            tokio::time::sleep(interval.min(self.fence().saturating_sub(confirmed.elapsed()))).await;
            let sent = Instant::now();
            if self.request(AckKind::Progress).await {
                confirmed = sent;
            } else if confirmed.elapsed() >= self.fence() {
                lost.cancel();
                return;
            }
        }
    }

    fn fence(&self) -> Duration {
        self.ack_wait.mul_f64(0.8)
    }

    /// Says the final word: acknowledged, given back or terminated. When it does not arrive the lease runs out and
    /// the message is delivered again, which is safe.
    pub(super) async fn end(&self, kind: AckKind) {
        if !self.request(kind).await && !self.request(kind).await {
            tracing::warn!("the broker did not confirm an acknowledgement; the task will come again");
        }
    }

    async fn request(&self, kind: AckKind) -> bool {
        let limit = Duration::from_secs(3).min(self.ack_wait / 3);
        let request = self.client.request(self.reply.clone(), kind.into());
        matches!(tokio::time::timeout(limit, request).await, Ok(Ok(_)))
    }
}
