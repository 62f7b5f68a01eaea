//! Metrics of the broker: loads of the queues, sizes of the streams, and streams or consumers that are missing or changed.

use super::{
    connection::Queue,
    error::{QueueError, failed, timely},
    problem::QueueProblem,
};
use async_nats::jetstream::{
    consumer,
    context::{ConsumerInfoErrorKind, GetStreamErrorKind},
    stream,
};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use vidp_contract::{Lane, Stage, streams};

/// Loads of the queues and sizes of the streams, read at nearly the same moment.
#[derive(Clone, Debug, Default)]
pub struct QueueMetrics {
    /// The load of each lane of each stage; none for a lane whose consumer is missing.
    pub loads: BTreeMap<(Stage, Lane), Load>,
    /// The load of the queue of offered parts; `None` when its consumer is missing.
    pub parts: Option<Load>,
    /// The streams by name; none for a missing one.
    pub streams: BTreeMap<&'static str, StreamMetrics>,
    /// The streams and consumers that are missing, paused or changed.
    pub problems: Vec<QueueProblem>,
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
    /// Waiting and running tasks of all lanes.
    pub fn depth(&self) -> u64 {
        self.loads.values().map(Load::depth).sum()
    }

    /// Number of tasks that no consumer will deliver: stored tasks minus the sum of the depths.
    ///
    /// The counts are read one after the other, so that a difference for a moment is normal. A lasting one is a fault.
    pub fn stranded(&self) -> u64 {
        let stored = self.streams.get(streams::TASKS).map_or(0, |tasks| tasks.messages);
        stored.saturating_sub(self.depth())
    }
}

impl From<&consumer::Info> for Load {
    fn from(info: &consumer::Info) -> Load {
        Load {
            waiting: info.num_pending,
            running: info.num_ack_pending as u64,
            idle: info.num_waiting as u64,
        }
    }
}

impl From<&stream::Info> for StreamMetrics {
    fn from(info: &stream::Info) -> StreamMetrics {
        StreamMetrics {
            messages: info.state.messages,
            bytes: info.state.bytes,
            max_bytes: info.config.max_bytes,
        }
    }
}

impl Queue {
    /// Waiting and running tasks of one lane: the queue depth. Fails when its consumer is missing.
    pub async fn depth(&self, stage: Stage, lane: Lane) -> Result<u64, QueueError> {
        let name = streams::consumer(stage, lane);
        let info = self.consumer_info(streams::TASKS, &name).await?;
        let info = info.ok_or_else(|| failed("consumer")(format!("{name} does not exist")))?;
        Ok(Load::from(&info).depth())
    }

    /// Reads all metrics of the broker with about ten requests.
    pub async fn metrics(&self) -> Result<QueueMetrics, QueueError> {
        let mut metrics = QueueMetrics::default();
        // The streams first: a task that is queued meanwhile is not stranded.
        let infos = self.stream_configs().map(|config| async move {
            Ok::<_, QueueError>((self.stream_info(&config.name).await?, config))
        });
        for (info, config) in try_join_all(infos).await? {
            let name = streams::ALL
                .into_iter()
                .find(|name| *name == config.name)
                .expect("every stream is listed");
            let problem = match &info {
                Some(info) => QueueProblem::of_stream(&info.config, &config),
                None => Some(QueueProblem::missing("stream", name)),
            };
            metrics.problems.extend(problem);
            metrics
                .streams
                .extend(info.map(|info| (name, StreamMetrics::from(&info))));
        }
        let infos = self.consumer_configs().map(|(stream, lane, config)| async move {
            let name = config.durable_name.clone().unwrap_or_default();
            Ok::<_, QueueError>((
                self.consumer_info(stream, &name).await?,
                stream,
                lane,
                name,
                config,
            ))
        });
        for (info, stream, lane, name, config) in try_join_all(infos).await? {
            let problem = match &info {
                Some(info) => QueueProblem::of_consumer(info, &config),
                None => Some(QueueProblem::missing("consumer", &name)),
            };
            metrics.problems.extend(problem);
            let load = info.as_ref().map(Load::from);
            if stream == streams::PARTS {
                metrics.parts = load;
            }
            metrics.loads.extend(lane.zip(load));
        }
        Ok(metrics)
    }

    /// The state of a stream; `None` when it does not exist.
    pub(super) async fn stream_info(&self, name: &str) -> Result<Option<stream::Info>, QueueError> {
        let get = async {
            match self.jetstream.get_stream(name).await {
                Ok(stream) => Ok(Some(stream.cached_info().clone())),
                Err(error) if is_no_stream(&error.kind()) => Ok(None),
                Err(error) => Err(error),
            }
        };
        timely("stream", get).await
    }

    /// The state of a consumer; `None` when it or its stream does not exist.
    pub(super) async fn consumer_info(
        &self,
        stream: &str,
        name: &str,
    ) -> Result<Option<consumer::Info>, QueueError> {
        let stream = self.stream(stream).await?;
        let get = async {
            use ConsumerInfoErrorKind::{NotFound, StreamNotFound};
            match stream.consumer_info(name).await {
                Ok(info) => Ok(Some(info)),
                Err(error) if matches!(error.kind(), NotFound | StreamNotFound) => Ok(None),
                Err(error) => Err(error),
            }
        };
        timely("consumer", get).await
    }
}

fn is_no_stream(error: &GetStreamErrorKind) -> bool {
    use async_nats::jetstream::ErrorCode;
    matches!(error, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}
