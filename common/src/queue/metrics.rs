//! Metrics of the broker: depths of the queues and sizes of the streams.

use super::{
    connection::Queue,
    error::{QueueError, timely},
};
use std::collections::BTreeMap;
use vidp_contract::{Lane, Stage, streams};

/// Depths of the queues and sizes of the streams, read at nearly the same moment.
#[derive(Clone, Debug, Default)]
pub struct QueueMetrics {
    /// Waiting and running tasks in each lane of each stage: the queue depth, which KEDA calls lag.
    pub depth: BTreeMap<(Stage, Lane), u64>,
    /// The streams by name.
    pub streams: BTreeMap<&'static str, StreamMetrics>,
}

/// Tasks in one lane of a stage, and its idle workers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Tasks that were not delivered yet.
    pub waiting: u64,
    /// Tasks that were delivered and not acknowledged yet. The task of a dead worker counts until its redelivery.
    pub running: u64,
    /// Workers that wait for a task of this lane now.
    ///
    /// An idle worker waits for interactive tasks in requests of one second, with a few milliseconds between them, so
    /// that this count can miss it.
    pub idle: u64,
}

impl Load {
    /// The queue depth, which KEDA calls lag.
    pub fn depth(&self) -> u64 {
        self.waiting + self.running
    }
}

/// Size of a stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamMetrics {
    /// Number of stored messages.
    pub messages: u64,
    /// Number of stored bytes.
    pub bytes: u64,
    /// Maximum number of stored bytes.
    pub max_bytes: i64,
}

impl QueueMetrics {
    /// Number of tasks that no consumer will deliver: stored tasks minus the sum of the depths.
    ///
    /// The counts are read one after the other, so that a difference for a moment is normal. A lasting one is a fault.
    pub fn stranded(&self) -> u64 {
        let held = self.depth.values().sum();
        let stored = self.streams.get(streams::TASKS).map_or(0, |tasks| tasks.messages);
        stored.saturating_sub(held)
    }
}

impl Queue {
    /// Waiting and running tasks of one lane, and its idle workers.
    pub async fn load(&self, stage: Stage, lane: Lane) -> Result<Load, QueueError> {
        let stream = self.stream(streams::TASKS).await?;
        let info = timely("consumer", stream.consumer_info(streams::consumer(stage, lane))).await?;
        Ok(Load {
            waiting: info.num_pending,
            running: info.num_ack_pending as u64,
            idle: info.num_waiting as u64,
        })
    }

    /// Waiting and running tasks of one lane: the queue depth.
    pub async fn depth(&self, stage: Stage, lane: Lane) -> Result<u64, QueueError> {
        Ok(self.load(stage, lane).await?.depth())
    }

    /// Reads all metrics of the broker with about ten requests.
    pub async fn metrics(&self) -> Result<QueueMetrics, QueueError> {
        let mut metrics = QueueMetrics::default();
        for name in streams::ALL {
            let stream = timely("stream", self.jetstream.get_stream(name)).await?;
            let info = stream.cached_info();
            let (state, max_bytes) = (&info.state, info.config.max_bytes);
            let stream = StreamMetrics {
                messages: state.messages,
                bytes: state.bytes,
                max_bytes,
            };
            metrics.streams.insert(name, stream);
        }
        for stage in Stage::ALL {
            for lane in Lane::ALL {
                metrics
                    .depth
                    .insert((stage, lane), self.depth(stage, lane).await?);
            }
        }
        Ok(metrics)
    }
}
