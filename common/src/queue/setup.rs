//! Creation of streams and consumers.

use super::{
    connection::Queue,
    error::{QueueError, failed, timely},
};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use vidp_contract::{Lane, Stage, streams};

impl Queue {
    /// Creates the streams and consumers, or updates their settings to those of this release. Deletes nothing.
    ///
    /// The API calls this, so that its settings are the ones in force.
    pub async fn ensure(&self) -> Result<(), QueueError> {
        for config in self.stream_configs() {
            timely("stream", self.jetstream.create_or_update_stream(config)).await?;
        }
        for stage in Stage::ALL {
            for lane in Lane::ALL {
                let config = self.consumer_config(
                    &streams::consumer(stage, lane),
                    streams::lane_subjects(stage, lane),
                );
                self.put_consumer(config, streams::TASKS).await?;
            }
        }
        self.results_consumer().await?;
        Ok(())
    }

    /// The durable consumer of one lane of a stage. Creates it when the API has not done so yet.
    ///
    /// Fails when its lease differs from the setting of this process: heartbeats would arrive too late.
    pub async fn lane_consumer(&self, stage: Stage, lane: Lane) -> Result<PullConsumer, QueueError> {
        let name = streams::consumer(stage, lane);
        let get = || {
            timely(
                "consumer",
                self.jetstream.get_consumer_from_stream(&name, streams::TASKS),
            )
        };
        let consumer: PullConsumer = match get().await {
            Ok(consumer) => consumer,
            Err(_) => {
                self.ensure().await?;
                get().await?
            }
        };
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

    /// Creates or updates the API's durable consumer of results, and returns it.
    pub async fn results_consumer(&self) -> Result<PullConsumer, QueueError> {
        let config = self.consumer_config(streams::API_CONSUMER, streams::RESULT_SUBJECTS.to_owned());
        self.put_consumer(config, streams::RESULTS).await
    }

    async fn put_consumer(&self, config: pull::Config, stream: &str) -> Result<PullConsumer, QueueError> {
        timely(
            "consumer",
            self.jetstream.create_consumer_on_stream(config, stream),
        )
        .await
    }
}
