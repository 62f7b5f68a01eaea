//! The connection to the broker.

use super::error::{QueueError, timely};
use crate::config::NatsConfig;
use async_nats::{
    Client, ConnectOptions, Subscriber,
    connection::State,
    jetstream::{Context, ContextBuilder, stream},
};
use std::time::Duration;

/// Time limit of a request. With the library's default of 10 s, this wait was the longest gap after a restart of the
/// broker.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Interval of pings. A dead broker is noticed after about three intervals.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// A connection to the broker that reconnects by itself.
#[derive(Clone)]
pub struct Queue {
    pub(super) client: Client,
    pub(super) jetstream: Context,
    pub(super) replicas: usize,
    pub(super) ack_wait: Duration,
}

impl Queue {
    /// Starts to connect. The broker need not be up yet.
    pub async fn connect(config: &NatsConfig, name: &str) -> anyhow::Result<Queue> {
        let mut options = ConnectOptions::new();
        if !config.nats_user.is_empty() {
            let (user, password) = (config.nats_user.clone(), config.nats_password.clone());
            // Replies arrive in an inbox that other users have no permission to read.
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

    /// True while the connection is up.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The underlying client, for requests and subscriptions.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn stream(&self, name: &str) -> Result<stream::Stream<()>, QueueError> {
        timely("stream", self.jetstream.get_stream_no_info(name)).await
    }

    /// Subscribes to a core NATS subject. With a `group`, each message goes to one subscriber of the group.
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
