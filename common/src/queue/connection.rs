//! The message broker: streams, consumers, publishing.

mod cancel;
mod dead;
mod error;
mod figures;
mod settings;

pub use cancel::Cancel;
pub use dead::DeadLetter;
pub use error::QueueError;
pub use figures::Figures;

use crate::{config::NatsConfig, trace};
use async_nats::{
    Client, ConnectOptions, HeaderMap, Subscriber,
    connection::State,
    jetstream::{
        Context, ContextBuilder,
        consumer::{PullConsumer, pull},
        context::PublishErrorKind,
        stream::{self, LastRawMessageErrorKind},
    },
};
use bytes::Bytes;
use error::{CALL_TIMEOUT, failed, timely};
use std::time::Duration;
use tracing::Instrument;
use uuid::Uuid;
use vidp_contract::{Lane, Progress, Stage, Task, TaskResult, TraceParent, streams};

/// The library's default of 10 s was the longest gap in a broker's restart.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// A dead broker is noticed after about three of these.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// A connection that mends itself, for as long as the process lives.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    jetstream: Context,
    replicas: usize,
    ack_wait: Duration,
}

impl Queue {
    /// Starts connecting; the broker need not be up yet.
    pub async fn connect(config: &NatsConfig, name: &str) -> anyhow::Result<Queue> {
        let mut options = ConnectOptions::new();
        if !config.nats_user.is_empty() {
            let (user, password) = (config.nats_user.clone(), config.nats_password.clone());
            // Replies come to an inbox that no other user may listen to.
            let inbox = format!("_INBOX_{user}");
            options = options
                .user_and_password(user, password)
                .custom_inbox_prefix(inbox);
        }
        let client = options
            .name(name)
            .retry_on_initial_connect()
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .reconnect_delay_callback(|attempt| Duration::from_millis(100 * attempt.min(20) as u64))
            .connect(config.nats_url.split(',').collect::<Vec<_>>())
            .await?;
        let jetstream = ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .ack_timeout(REQUEST_TIMEOUT)
            .build(client.clone());
        Ok(Queue {
            client,
            jetstream,
            replicas: config.stream_replicas,
            ack_wait: config.ack_wait(),
        })
    }

    /// The connection is up.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The connection itself, for requests and subscriptions.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Creates the streams and consumers, or brings them to the settings of this release. Deletes nothing.
    ///
    /// The API's business: what it is set to counts.
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

    /// The durable consumer of one lane of a stage, as the API has made it; made here when it is not there.
    ///
    /// Errors when its lease is not the one this process is set to: heartbeats would come too late.
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
        let told = format!(
            "the lease of {name} is {theirs} s, and VIDP_ACK_WAIT_SECONDS here is {ours}: set both alike"
        );
        Err(failed("consumer")(told))
    }

    /// The API's durable consumer of results, created or updated.
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

    /// Queues a task, caused by `trace`. A copy that is already stored is as good.
    pub async fn publish_task(&self, lane: Lane, task: &Task, trace: &TraceParent) -> Result<(), QueueError> {
        let stage = task.work.stage();
        let span = tracing::info_span!("publish", otel.kind = "producer", %stage, job = %task.job_id);
        trace::adopt(trace, &span);
        let subject = streams::task(stage, lane, task.task_id);
        let publish = self.publish(subject, trace::headers(trace, &span), encode(task));
        match publish.instrument(span).await {
            Err(error) if error.is_already_stored() => Ok(()),
            other => other,
        }
    }

    /// Stores a result, caused by the current span; of a task that was caused by `trace`.
    pub async fn publish_result(&self, result: &TaskResult, trace: &TraceParent) -> Result<(), QueueError> {
        let span = tracing::info_span!("result", otel.kind = "producer");
        let subject = streams::result(result.stage, result.task_id);
        let publish = self.publish(subject, trace::headers(trace, &span), encode(result));
        publish.instrument(span).await
    }

    /// Publishes and waits until the stream has stored it; makes the streams when they are gone.
    async fn publish(&self, subject: String, headers: HeaderMap, payload: Bytes) -> Result<(), QueueError> {
        let publish = async || {
            let sent = self
                .jetstream
                .publish_with_headers(subject.clone(), headers.clone(), payload.clone());
            sent.await?.await.map(drop)
        };
        match tokio::time::timeout(CALL_TIMEOUT, publish()).await {
            Ok(Err(error)) if error.kind() == PublishErrorKind::StreamNotFound => {
                self.ensure().await?;
                timely("publish", publish()).await
            }
            Ok(published) => published.map_err(failed("publish")),
            Err(_) => Err(failed("publish")("no answer in time")),
        }
    }

    /// The task waits in the stream or is being worked on.
    pub async fn holds_task(&self, stage: Stage, lane: Lane, task_id: Uuid) -> Result<bool, QueueError> {
        let subject = streams::task(stage, lane, task_id);
        Ok(self.last(streams::TASKS, &subject).await?.is_some())
    }

    /// The result of a task, if one has been published in the last days.
    pub async fn stored_result(&self, stage: Stage, task_id: Uuid) -> Result<Option<TaskResult>, QueueError> {
        let payload = self
            .last(streams::RESULTS, &streams::result(stage, task_id))
            .await?;
        Ok(payload.and_then(|payload| serde_json::from_slice(&payload).ok()))
    }

    async fn last(&self, stream: &str, subject: &str) -> Result<Option<Bytes>, QueueError> {
        let stream = self.stream(stream).await?;
        match tokio::time::timeout(CALL_TIMEOUT, stream.get_last_raw_message_by_subject(subject)).await {
            Ok(Ok(message)) => Ok(Some(message.payload)),
            Ok(Err(error)) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Ok(Err(error)) => Err(failed("look-up")(error)),
            Err(_) => Err(failed("look-up")("no answer in time")),
        }
    }

    async fn stream(&self, name: &str) -> Result<stream::Stream<()>, QueueError> {
        timely("stream", self.jetstream.get_stream_no_info(name)).await
    }

    /// Takes a task out of the stream, waiting or running.
    pub async fn remove_task(&self, stage: Stage, lane: Lane, task_id: Uuid) -> Result<(), QueueError> {
        let stream = self.stream(streams::TASKS).await?;
        let purge = stream.purge().filter(streams::task(stage, lane, task_id));
        timely("purge", purge.into_future()).await.map(drop)
    }

    /// Tells whoever works on these tasks of a job to stop. May be lost.
    pub async fn cancel(&self, cancel: &Cancel) -> Result<(), QueueError> {
        let payload = encode(&cancel.tasks);
        timely(
            "cancel",
            self.client.publish(streams::cancel(cancel.job_id), payload),
        )
        .await
    }

    /// Sends progress. May be lost.
    pub async fn progress(&self, progress: &Progress) -> Result<(), QueueError> {
        let subject = streams::progress(progress.job_id);
        timely("progress", self.client.publish(subject, encode(progress))).await
    }

    /// Listens to a core NATS subject; within a `group` each message goes to one listener.
    pub async fn subscribe(
        &self,
        subject: &'static str,
        group: Option<&str>,
    ) -> Result<Subscriber, QueueError> {
        let subscribe = async {
            match group {
                Some(group) => self.client.queue_subscribe(subject, group.to_owned()).await,
                None => self.client.subscribe(subject).await,
            }
        };
        timely("subscribe", subscribe).await
    }
}

fn encode(message: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(message)
        .expect("messages have string keys and no failing serializer")
        .into()
}
