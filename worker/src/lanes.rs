//! The choice of the lane that the next task is pulled from.

use anyhow::{Context, Result};
use async_nats::jetstream::{Message, consumer::PullConsumer};
use futures_util::StreamExt;
use std::time::{Duration, Instant};
use vidp_common::queue::{Queue, QueueError};
use vidp_contract::{Lane, Stage, streams};

/// One in this many pulls starts with the batch lane and one with parts, so that no queue starves.
const TURNS: u32 = 5;
/// Time for which an idle worker waits for an interactive task before it checks the batch lane again.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// Pause between two looks for the queue of parts.
const LOOK_PAUSE: Duration = Duration::from_secs(30);
/// Time limit of a pull that a working broker answers at once. A task that arrives later waits for the end of its lease.
const PULL_TIMEOUT: Duration = Duration::from_secs(5);

/// A queue of the stage.
#[derive(Clone, Copy)]
enum Source {
    Lane(Lane),
    /// Parts that the workers of running tasks offer.
    Parts,
}

/// The consumers of the stage: one for each lane, and one for offered parts if its tasks have parts.
pub(super) struct Lanes {
    queue: Queue,
    stage: Stage,
    consumers: Option<[PullConsumer; 2]>,
    parts: Option<PullConsumer>,
    /// The next look for the queue of parts is not before this time.
    next_look: Instant,
    turn: u32,
}

impl Lanes {
    pub(super) fn new(queue: Queue, stage: Stage) -> Self {
        Lanes {
            queue,
            stage,
            consumers: None,
            parts: None,
            next_look: Instant::now(),
            turn: 0,
        }
    }

    /// Pulls one task or offered part; `None` after about a second without one. Leaves no request open: no task is fetched
    /// ahead.
    pub(super) async fn next(&mut self, takes_parts: bool) -> Result<Option<Message>> {
        let pulled = self.pull(takes_parts).await;
        if pulled.is_err() {
            // The consumer may be lost with the storage of the broker: look it up again before the next pull.
            (self.consumers, self.parts) = (None, None);
        }
        pulled
    }

    async fn pull(&mut self, takes_parts: bool) -> Result<Option<Message>> {
        use Source::Parts;
        const INTERACTIVE: Source = Source::Lane(Lane::Interactive);
        const BATCH: Source = Source::Lane(Lane::Batch);
        self.turn = (self.turn + 1) % TURNS;
        // Running films are finished before the batch lane begins more films.
        let order = match self.turn {
            0 => [BATCH, INTERACTIVE, Parts],
            1 => [Parts, INTERACTIVE, BATCH],
            _ => [INTERACTIVE, Parts, BATCH],
        };
        for source in order {
            if matches!(source, Parts) && !takes_parts {
                continue;
            }
            let Some(consumer) = self.consumer(source).await? else {
                continue;
            };
            let pull = async {
                // Without `expires`: with it the server waits that long for a first message, even with `no_wait`.
                let mut batch = consumer.fetch().max_messages(1).messages().await?;
                let message = batch.next().await.transpose();
                message.map_err(anyhow::Error::from_boxed)
            };
            let answer = tokio::time::timeout(PULL_TIMEOUT, pull).await;
            if let Some(message) = answer.context("the broker does not answer")?? {
                return Ok(Some(message));
            }
        }
        let consumer = self.lane(Lane::Interactive).await?;
        let mut batch = consumer
            .batch()
            .max_messages(1)
            .expires(IDLE_WAIT)
            .messages()
            .await?;
        batch.next().await.transpose().map_err(anyhow::Error::from_boxed)
    }

    /// The consumer of a queue; `None` for parts while the stage has no such queue.
    async fn consumer(&mut self, source: Source) -> Result<Option<&PullConsumer>, QueueError> {
        match source {
            Source::Lane(lane) => self.lane(lane).await.map(Some),
            Source::Parts => Ok(self.parts().await),
        }
    }

    async fn lane(&mut self, lane: Lane) -> Result<&PullConsumer, QueueError> {
        if self.consumers.is_none() {
            let [first, second] = Lane::ALL.map(|lane| self.queue.lane_consumer(self.stage, lane));
            self.consumers = Some([first.await?, second.await?]);
        }
        let consumers = self.consumers.as_ref().expect("filled above");
        Ok(&consumers[lane as usize])
    }

    /// A missing queue of parts stops no worker: an API of an earlier release has not created it.
    async fn parts(&mut self) -> Option<&PullConsumer> {
        let is_due = self.parts.is_none() && Instant::now() >= self.next_look;
        if self.stage == streams::PARTS_STAGE && is_due {
            // A broker that does not permit the look takes some seconds each time.
            self.next_look = Instant::now() + LOOK_PAUSE;
            let found = self.queue.parts_consumer().await;
            self.parts = found
                .inspect_err(|error| tracing::debug!("no offered parts are pulled: {error}"))
                .ok();
        }
        self.parts.as_ref()
    }
}
