//! The message broker: streams, consumers, publishing.

use crate::{
    config::NatsConfig,
    contract::{Lane, Progress, Stage, Task, TaskResult, streams},
};
use async_nats::{
    Client, ConnectOptions, HeaderMap, Subscriber,
    connection::State,
    jetstream::{
        Context, ContextBuilder,
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
        context::PublishErrorKind,
        stream::{self, DiscardPolicy, LastRawMessageErrorKind, RetentionPolicy, StorageType},
    },
};
use bytes::Bytes;
use std::time::Duration;
use uuid::Uuid;

/// The library's default of 10 s was the longest gap in a broker's restart.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// A dead broker is noticed after about three of these.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Why the broker did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {error}")]
pub struct QueueError {
    what: &'static str,
    error: async_nats::Error,
}

fn failed<E: Into<async_nats::Error>>(what: &'static str) -> impl FnOnce(E) -> QueueError {
    move |error| QueueError {
        what,
        error: error.into(),
    }
}

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
        let client = ConnectOptions::new()
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
    pub async fn ensure(&self) -> Result<(), QueueError> {
        for config in self.stream_configs() {
            self.jetstream
                .create_or_update_stream(config)
                .await
                .map_err(failed("stream"))?;
        }
        for stage in Stage::ALL {
            for lane in Lane::ALL {
                self.lane_consumer(stage, lane).await?;
            }
        }
        self.results_consumer().await?;
        Ok(())
    }

    fn stream_configs(&self) -> [stream::Config; 3] {
        let base = stream::Config {
            storage: StorageType::File,
            num_replicas: self.replicas,
            allow_direct: false,
            ..Default::default()
        };
        [
            stream::Config {
                name: streams::TASKS.to_owned(),
                subjects: vec![streams::TASK_SUBJECTS.to_owned()],
                retention: RetentionPolicy::WorkQueue,
                // One message per subject, a second one refused: a task can be published again at any time, and is
                // never queued twice. (Deduplication by message id forgets acknowledged ones at a restart.)
                max_messages_per_subject: 1,
                discard: DiscardPolicy::New,
                discard_new_per_subject: true,
                // A bound, so that a publish fails clearly before the disk is full.
                max_bytes: 512 << 20,
                ..base.clone()
            },
            stream::Config {
                name: streams::RESULTS.to_owned(),
                subjects: vec![streams::RESULT_SUBJECTS.to_owned()],
                max_age: streams::RESULTS_AGE,
                max_bytes: 512 << 20,
                ..base.clone()
            },
            stream::Config {
                name: streams::DEAD.to_owned(),
                subjects: vec![streams::DEAD_SUBJECTS.to_owned()],
                max_age: streams::DEAD_AGE,
                max_bytes: 64 << 20,
                ..base
            },
        ]
    }

    /// The durable consumer of one lane of a stage, created or updated.
    pub async fn lane_consumer(&self, stage: Stage, lane: Lane) -> Result<PullConsumer, QueueError> {
        self.consumer(
            streams::TASKS,
            &streams::consumer(stage, lane),
            streams::lane_subjects(stage, lane),
        )
        .await
    }

    /// The API's durable consumer of results, created or updated.
    pub async fn results_consumer(&self) -> Result<PullConsumer, QueueError> {
        self.consumer(
            streams::RESULTS,
            streams::API_CONSUMER,
            streams::RESULT_SUBJECTS.to_owned(),
        )
        .await
    }

    async fn consumer(&self, stream: &str, name: &str, filter: String) -> Result<PullConsumer, QueueError> {
        let config = pull::Config {
            durable_name: Some(name.to_owned()),
            filter_subject: filter,
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            // A delivery limit here would strand the message in the stream, in no count; the worker keeps its own.
            max_deliver: -1,
            // For all replicas together; every running task holds one.
            max_ack_pending: 10_000,
            num_replicas: self.replicas,
            ..Default::default()
        };
        self.jetstream
            .create_consumer_on_stream(config, stream)
            .await
            .map_err(failed("consumer"))
    }

    /// Queues a task. A copy that is already stored is as good.
    pub async fn publish_task(&self, lane: Lane, task: &Task) -> Result<(), QueueError> {
        let subject = streams::task(task.work.stage(), lane, task.task_id);
        match self.publish(subject, HeaderMap::new(), encode(task)).await {
            Err(error) if is_already_stored(&error) => Ok(()),
            other => other,
        }
    }

    /// Stores a result.
    pub async fn publish_result(&self, result: &TaskResult) -> Result<(), QueueError> {
        let subject = streams::result(result.stage, result.task_id);
        self.publish(subject, HeaderMap::new(), encode(result)).await
    }

    /// Moves a message to the dead stream, with the reason.
    pub async fn bury(
        &self,
        what: &str,
        message: &async_nats::Message,
        reason: &str,
    ) -> Result<(), QueueError> {
        let mut headers = HeaderMap::new();
        // A header value must be one line.
        headers.insert(
            streams::DEAD_REASON_HEADER,
            reason.replace(['\r', '\n'], " ").as_str(),
        );
        headers.insert(streams::DEAD_SUBJECT_HEADER, message.subject.as_str());
        self.publish(streams::dead(what), headers, message.payload.clone())
            .await
    }

    /// Publishes and waits until the stream has stored it; makes the streams when they are gone.
    async fn publish(&self, subject: String, headers: HeaderMap, payload: Bytes) -> Result<(), QueueError> {
        let publish = async || {
            self.jetstream
                .publish_with_headers(subject.clone(), headers.clone(), payload.clone())
                .await?
                .await
                .map(drop)
        };
        match publish().await {
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                self.ensure().await?;
                publish().await
            }
            other => other,
        }
        .map_err(failed("publish"))
    }

    /// The task waits in the stream or is being worked on.
    pub async fn holds_task(&self, stage: Stage, lane: Lane, task_id: Uuid) -> Result<bool, QueueError> {
        let stream = self
            .jetstream
            .get_stream_no_info(streams::TASKS)
            .await
            .map_err(failed("stream"))?;
        let subject = streams::task(stage, lane, task_id);
        match stream.get_last_raw_message_by_subject(&subject).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(false),
            Err(error) => Err(failed("look-up")(error)),
        }
    }

    /// Takes a task out of the stream, waiting or running.
    pub async fn remove_task(&self, stage: Stage, lane: Lane, task_id: Uuid) -> Result<(), QueueError> {
        let stream = self
            .jetstream
            .get_stream_no_info(streams::TASKS)
            .await
            .map_err(failed("stream"))?;
        stream
            .purge()
            .filter(streams::task(stage, lane, task_id))
            .await
            .map(drop)
            .map_err(failed("purge"))
    }

    /// Tasks waiting or running in one lane: the queue depth.
    pub async fn depth(&self, stage: Stage, lane: Lane) -> Result<u64, QueueError> {
        let stream = self
            .jetstream
            .get_stream_no_info(streams::TASKS)
            .await
            .map_err(failed("stream"))?;
        let info = stream
            .consumer_info(streams::consumer(stage, lane))
            .await
            .map_err(failed("consumer"))?;
        Ok(info.num_pending + info.num_ack_pending as u64)
    }

    /// Tells whoever works on the job to stop. May be lost.
    pub async fn cancel(&self, job_id: Uuid) -> Result<(), QueueError> {
        self.client
            .publish(streams::cancel(job_id), Bytes::new())
            .await
            .map_err(failed("cancel"))
    }

    /// Sends progress. May be lost.
    pub async fn progress(&self, progress: &Progress) -> Result<(), QueueError> {
        self.client
            .publish(streams::progress(progress.job_id), encode(progress))
            .await
            .map_err(failed("progress"))
    }

    /// Listens to a core NATS subject; within a `group` each message goes to one listener.
    pub async fn subscribe(
        &self,
        subject: &'static str,
        group: Option<&str>,
    ) -> Result<Subscriber, QueueError> {
        let subscription = match group {
            Some(group) => self.client.queue_subscribe(subject, group.to_owned()).await,
            None => self.client.subscribe(subject).await,
        };
        subscription.map_err(failed("subscribe"))
    }
}

fn encode(message: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(message)
        .expect("messages have string keys and no failing serializer")
        .into()
}

/// The refusal by "one message per subject". Its code is the one of every failed store, so the words decide.
fn is_already_stored(error: &QueueError) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error.error.as_ref());
    while let Some(error) = source {
        if error
            .to_string()
            .contains("maximum messages per subject exceeded")
        {
            return true;
        }
        source = error.source();
    }
    false
}
