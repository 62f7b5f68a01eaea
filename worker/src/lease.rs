//! A delivered message's lease: kept by heartbeats, ended by one final word.

use async_nats::{Client, Message, Subject, jetstream::AckKind};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// After a heartbeat that was not answered the next one comes soon: there may be time for several before the fence.
const REPEAT: Duration = Duration::from_secs(1);

/// The right to work on one delivery; kept until this is dropped or the broker has been silent for too long.
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
    /// Begins to keep it. `None` for a message that did not come from a stream.
    pub(super) fn keep(client: &Client, message: &Message, ack_wait: Duration) -> Option<Lease> {
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

    /// Until the lease is lost.
    pub(super) async fn lost(&self) {
        self.inner.lost.cancelled().await;
    }

    /// Nobody else can have the task yet. By the clock, not by a task that may not have run: a process that was
    /// frozen and wakes up must see at once that its time is over.
    pub(super) fn holds(&self) -> bool {
        !self.inner.left().is_zero()
    }

    /// Says the final word: acknowledged, given back or terminated. When it does not arrive the lease runs out and
    /// the message is delivered again, which is safe.
    pub(super) async fn end(&self, kind: AckKind) {
        let limit = self.inner.ack_wait / 3;
        if !self.inner.request(kind, limit).await && !self.inner.request(kind, limit).await {
            tracing::warn!("the broker did not confirm an acknowledgement; the task will come again");
        }
    }
}

impl Inner {
    /// Extends the lease; cancels `lost` when that failed for too long.
    ///
    /// A heartbeat is a request: only the answer proves that it arrived. After 0.8 of the lease without one, another
    /// worker may be about to get the task, and this one stops.
    async fn beat(self) {
        let mut pause = self.ack_wait / 3;
        loop {
            let left = self.left();
            if left.is_zero() {
                return self.lost.cancel();
            }
            tokio::time::sleep(pause.min(left)).await;
            let sent = Instant::now();
            // No request outlives the fence: it would be waited for while somebody else begins.
            pause = if self.request(AckKind::Progress, self.left()).await {
                *self.confirmed.lock() = sent;
                self.ack_wait / 3
            } else {
                REPEAT.min(self.ack_wait / 6)
            };
        }
    }

    /// Time to the fence, 0.8 of the lease after the last confirmed heartbeat.
    fn left(&self) -> Duration {
        self.ack_wait
            .mul_f64(0.8)
            .saturating_sub(self.confirmed.lock().elapsed())
    }

    async fn request(&self, kind: AckKind, limit: Duration) -> bool {
        let limit = limit.min(Duration::from_secs(3)).min(self.ack_wait / 3);
        let request = self.client.request(self.reply.clone(), kind.into());
        matches!(tokio::time::timeout(limit, request).await, Ok(Ok(_)))
    }
}
