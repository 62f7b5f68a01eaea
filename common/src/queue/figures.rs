//! The broker's own figures, for metrics and health.

use super::{
    connection::Queue,
    error::{QueueError, timely},
};
use std::collections::BTreeMap;
use vidp_contract::{Lane, Stage, streams};

/// What the broker holds, counted at nearly the same moment.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Tasks waiting or running in each lane of each stage: the queue depth, and what KEDA calls lag.
    pub depth: BTreeMap<(Stage, Lane), u64>,
    /// The streams by name.
    pub streams: BTreeMap<&'static str, StreamFigures>,
}

/// What one lane of a stage has to do, and who is there to do it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Tasks that nobody has yet.
    pub waiting: u64,
    /// Tasks that a worker has: each works on one. One that died has its task until another worker takes it.
    pub running: u64,
    /// Workers that ask for a task of this lane just now. An idle worker asks for interactive ones, in requests of a
    /// second with a few milliseconds between them: it can be missed.
    pub idle: u64,
}

impl Load {
    /// The queue depth, which KEDA calls lag.
    pub fn depth(&self) -> u64 {
        self.waiting + self.running
    }
}

/// How full a stream is.
#[derive(Clone, Copy, Debug)]
pub struct StreamFigures {
    /// Messages stored.
    pub messages: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// Most bytes that it takes.
    pub max_bytes: i64,
}

impl Figures {
    /// Tasks that no consumer will ever deliver. Counts that are taken while tasks come and go differ for a moment;
    /// a difference that stays is a fault.
    pub fn stranded(&self) -> u64 {
        let held = self.depth.values().sum();
        let stored = self.streams.get(streams::TASKS).map_or(0, |tasks| tasks.messages);
        stored.saturating_sub(held)
    }
}

impl Queue {
    /// What one lane has to do.
    pub async fn load(&self, stage: Stage, lane: Lane) -> Result<Load, QueueError> {
        let stream = self.stream(streams::TASKS).await?;
        let info = timely("consumer", stream.consumer_info(streams::consumer(stage, lane))).await?;
        Ok(Load {
            waiting: info.num_pending,
            running: info.num_ack_pending as u64,
            idle: info.num_waiting as u64,
        })
    }

    /// Tasks waiting or running in one lane: the queue depth.
    pub async fn depth(&self, stage: Stage, lane: Lane) -> Result<u64, QueueError> {
        Ok(self.load(stage, lane).await?.depth())
    }

    /// Asks for all figures; some ten requests.
    pub async fn figures(&self) -> Result<Figures, QueueError> {
        let mut figures = Figures::default();
        for name in streams::ALL {
            let stream = timely("stream", self.jetstream.get_stream(name)).await?;
            let info = stream.cached_info();
            let (state, max_bytes) = (&info.state, info.config.max_bytes);
            let stream = StreamFigures {
                messages: state.messages,
                bytes: state.bytes,
                max_bytes,
            };
            figures.streams.insert(name, stream);
        }
        for stage in Stage::ALL {
            for lane in Lane::ALL {
                figures
                    .depth
                    .insert((stage, lane), self.depth(stage, lane).await?);
            }
        }
        Ok(figures)
    }
}
