//! The choice of the lane that the next task is pulled from.

use anyhow::{Context, Result};
use async_nats::jetstream::{Message, consumer::PullConsumer};
use futures_util::StreamExt;
use std::time::Duration;
use vidp_common::queue::{Queue, QueueError};
use vidp_contract::{Lane, Stage};

/// One in this many pulls starts with the batch lane, so that neither lane starves.
const BATCH_TURN: u32 = 5;
/// Time for which an idle worker waits for an interactive task before it checks the batch lane again.
const IDLE_WAIT: Duration = Duration::from_secs(1);
/// Time limit of a pull that a working broker answers at once. A task that arrives later waits for the end of its lease.
const PULL_TIMEOUT: Duration = Duration::from_secs(5);

/// The two consumers of the stage, one for each lane.
pub(super) struct Lanes {
    queue: Queue,
    stage: Stage,
    consumers: Option<[PullConsumer; 2]>,
    turn: u32,
}

impl Lanes {
    pub(super) fn new(queue: Queue, stage: Stage) -> Self {
        Lanes {
            queue,
            stage,
            consumers: None,
            turn: 0,
        }
    }

    /// Pulls one task; `None` after about a second without one. Leaves no request open: no task is fetched ahead.
    pub(super) async fn next(&mut self) -> Result<Option<Message>> {
        let pulled = self.pull().await;
        if pulled.is_err() {
            // The consumer may be lost with the storage of the broker: look it up again before the next pull.
            self.consumers = None;
        }
        pulled
    }

    async fn pull(&mut self) -> Result<Option<Message>> {
        self.turn = (self.turn + 1) % BATCH_TURN;
        let order = match self.turn {
            0 => [Lane::Batch, Lane::Interactive],
            _ => [Lane::Interactive, Lane::Batch],
        };
        for lane in order {
            let consumer = self.consumer(lane).await?;
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
        let consumer = self.consumer(Lane::Interactive).await?;
        let mut batch = consumer
            .batch()
            .max_messages(1)
            .expires(IDLE_WAIT)
            .messages()
            .await?;
        batch.next().await.transpose().map_err(anyhow::Error::from_boxed)
    }

    async fn consumer(&mut self, lane: Lane) -> Result<&PullConsumer, QueueError> {
        if self.consumers.is_none() {
            let [first, second] = Lane::ALL.map(|lane| self.queue.lane_consumer(self.stage, lane));
            self.consumers = Some([first.await?, second.await?]);
        }
        let consumers = self.consumers.as_ref().expect("filled above");
        Ok(&consumers[lane as usize])
    }
}
