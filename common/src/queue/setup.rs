//! Creation of streams and consumers.

use super::{
    connection::Queue,
    error::{QueueError, failed, timely},
    problem::ProblemKind,
};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use vidp_contract::{Lane, Stage, streams};

impl Queue {
    /// Creates the streams and consumers, or updates their settings to those of this release. Deletes nothing, and leaves a
    /// paused consumer paused.
    ///
    /// The API calls this at its start, so that its settings are the ones in force.
    pub async fn ensure(&self) -> Result<(), QueueError> {
        for config in self.stream_configs() {
            timely("stream", self.jetstream.create_or_update_stream(config)).await?;
        }
        for (stream, _, mut config) in self.consumer_configs() {
            let name = config.durable_name.clone().unwrap_or_default();
            let found = self.consumer_info(stream, &name).await?;
            config.pause_until = found.and_then(|info| info.config.pause_until);
            self.put_consumer(config, stream).await?;
        }
        Ok(())
    }

    /// Creates the streams and consumers that are missing, and returns their names. Changes no existing one.
    ///
    /// An operator may delete them while the system runs, and a broker may come back with an empty store. Workers have no right
    /// to create any.
    pub async fn restore(&self) -> Result<Vec<String>, QueueError> {
        let mut problems = self.metrics().await?.problems;
        problems.retain(|problem| problem.kind == ProblemKind::Missing);
        let missing: Vec<_> = problems.into_iter().map(|problem| problem.object).collect();
        for config in self.stream_configs() {
            if missing.contains(&config.name) {
                timely("stream", self.jetstream.create_or_update_stream(config)).await?;
            }
        }
        for (stream, _, config) in self.consumer_configs() {
            if config
                .durable_name
                .as_ref()
                .is_some_and(|name| missing.contains(name))
            {
                self.put_consumer(config, stream).await?;
            }
        }
        Ok(missing)
    }

    /// The durable consumer of one lane of a stage.
    ///
    /// Fails while the API has not created it. Fails also when its lease differs from the setting of this process: heartbeats
    /// would arrive too late.
    pub async fn lane_consumer(&self, stage: Stage, lane: Lane) -> Result<PullConsumer, QueueError> {
        self.leased(&streams::consumer(stage, lane), streams::TASKS).await
    }

    /// A consumer whose lease is the setting of this process.
    async fn leased(&self, name: &str, stream: &str) -> Result<PullConsumer, QueueError> {
        let consumer = self.get_consumer(name, stream).await?;
        let lease = consumer.cached_info().config.ack_wait;
        if lease == self.ack_wait {
            return Ok(consumer);
        }
        let (theirs, ours) = (lease.as_secs(), self.ack_wait.as_secs());
        let problem = format!(
            "the lease of {name} is {theirs} s, but VIDP_ACK_WAIT_SECONDS of this process is {ours}: set the same value everywhere"
        );
        Err(failed("consumer")(problem))
    }

    /// The API's durable consumer of results.
    pub async fn results_consumer(&self) -> Result<PullConsumer, QueueError> {
        self.get_consumer(streams::API_CONSUMER, streams::RESULTS).await
    }

    /// The durable consumer of offered parts; fails as [`Queue::lane_consumer`] does.
    pub async fn parts_consumer(&self) -> Result<PullConsumer, QueueError> {
        self.leased(streams::PARTS_CONSUMER, streams::PARTS).await
    }

    async fn get_consumer(&self, name: &str, stream: &str) -> Result<PullConsumer, QueueError> {
        timely("consumer", self.jetstream.get_consumer_from_stream(name, stream)).await
    }

    async fn put_consumer(&self, config: pull::Config, stream: &str) -> Result<(), QueueError> {
        let create = self.jetstream.create_consumer_on_stream(config, stream);
        timely("consumer", create).await.map(drop)
    }
}
