//! The lease of a delivered message: heartbeats extend it, and one final answer ends it.

use async_nats::{Client, Message, Subject, jetstream::AckKind};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Pause after a heartbeat without an answer. It is short, so that several more fit before the fence.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The right to work on one delivery. It lasts until this value is dropped or the broker is silent for too long.
pub(super) struct Lease {
    inner: Inner,
    _heartbeat: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Inner {
    client: Client,
    reply: Subject,
    ack_wait: Duration,
    confirmed: Arc<Mutex<Instant>>,
    lost: CancellationToken,
}

impl Lease {
    /// Starts the heartbeats. `None` for a message that does not belong to a stream.
    pub(super) fn start(client: &Client, message: &Message, ack_wait: Duration) -> Option<Lease> {
        let inner = Inner {
            client: client.clone(),
            reply: message.reply.clone()?,
            ack_wait,
            confirmed: Arc::new(Mutex::new(Instant::now())),
            lost: CancellationToken::new(),
        };
        let _heartbeat = AbortOnDropHandle::new(tokio::spawn(inner.clone().beat()));
        Some(Lease { inner, _heartbeat })
    }

    /// Waits until the lease is lost.
    pub(super) async fn lost(&self) {
        self.inner.lost.cancelled().await;
    }

    /// True while no other worker can have the task.
    ///
    /// Compares times instead of the state of the heartbeat task, which may not have run yet: a process that wakes up
    /// after a freeze must see at once that its lease expired.
    pub(super) fn holds(&self) -> bool {
        !self.inner.left().is_zero()
    }

    /// Sends the final answer: acknowledged, given back or terminated.
    ///
    /// If it does not arrive, the lease expires and the message is delivered again, which is safe.
    pub(super) async fn end(&self, kind: AckKind) {
        let limit = self.inner.ack_wait / 3;
        if !self.inner.request(kind, limit).await && !self.inner.request(kind, limit).await {
            tracing::warn!("the broker did not confirm an acknowledgement; the task will be delivered again");
        }
    }
}

impl Inner {
    /// Extends the lease until heartbeats fail for too long, and then cancels `lost`.
    ///
    /// A heartbeat is a request, because only an answer proves that it arrived. After 0.8 of the lease without an
    /// answer, another worker may soon get the task, and this one stops.
    async fn beat(self) {
        let mut pause = self.ack_wait / 3;
        loop {
            let left = self.left();
            if left.is_zero() {
                return self.lost.cancel();
            }
            tokio::time::sleep(pause.min(left)).await;
            let sent = Instant::now();
            // No request lasts beyond the fence: this worker would wait for it while another one starts.
            pause = if self.request(AckKind::Progress, self.left()).await {
                *self.confirmed.lock() = sent;
                self.ack_wait / 3
            } else {
                RETRY_PAUSE.min(self.ack_wait / 6)
            };
        }
    }

    /// Time left until the fence, which is 0.8 of the lease after the last confirmed heartbeat.
    fn left(&self) -> Duration {
        self.ack_wait
            .mul_f64(0.8)
            .saturating_sub(self.confirmed.lock().elapsed())
    }

    /// Sends an answer to the broker; true when the broker confirmed it within the limit.
    async fn request(&self, kind: AckKind, limit: Duration) -> bool {
        let limit = limit.min(Duration::from_secs(3)).min(self.ack_wait / 3);
        let request = self.client.request(self.reply.clone(), kind.into());
        matches!(tokio::time::timeout(limit, request).await, Ok(Ok(_)))
    }
}
