//! The settings of streams and consumers.

use super::connection::Queue;
use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::{self, DiscardPolicy, RetentionPolicy, StorageType},
};
use vidp_contract::{Lane, Stage, streams};

impl Queue {
    pub(super) fn stream_configs(&self) -> [stream::Config; 4] {
        let base = stream::Config {
            storage: StorageType::File,
            num_replicas: self.replicas,
            allow_direct: false,
            ..Default::default()
        };
        let lanes = Stage::ALL
            .into_iter()
            .flat_map(|stage| Lane::ALL.map(|lane| streams::lane_subjects(stage, lane)));
        [
            stream::Config {
                name: streams::TASKS.to_owned(),
                // Only subjects with a consumer: a message with another subject would stay in the stream for ever.
                subjects: lanes.collect(),
                retention: RetentionPolicy::WorkQueue,
                // One message for each subject: a task can be published again at any time and is never queued twice.
                // (Deduplication by message id forgets acknowledged messages at a restart.)
                max_messages_per_subject: 1,
                discard: DiscardPolicy::New,
                discard_new_per_subject: true,
                // With this limit a publication fails with a clear error before the disk is full.
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
                ..base.clone()
            },
            stream::Config {
                name: streams::PARTS.to_owned(),
                subjects: vec![streams::PART_SUBJECTS.to_owned()],
                retention: RetentionPolicy::WorkQueue,
                // As for tasks: an offer can be repeated at any time.
                max_messages_per_subject: 1,
                discard: DiscardPolicy::New,
                discard_new_per_subject: true,
                max_age: streams::PARTS_AGE,
                max_bytes: 64 << 20,
                ..base
            },
        ]
    }

    /// Every durable consumer: its stream, its lane (those of results and of parts have none), and its settings.
    pub(super) fn consumer_configs(
        &self,
    ) -> impl Iterator<Item = (&'static str, Option<(Stage, Lane)>, pull::Config)> {
        let lanes = Stage::ALL
            .into_iter()
            .flat_map(|stage| Lane::ALL.map(|lane| (stage, lane)));
        let tasks = lanes.map(|(stage, lane)| {
            let (name, filter) = (
                streams::consumer(stage, lane),
                streams::lane_subjects(stage, lane),
            );
            (
                streams::TASKS,
                Some((stage, lane)),
                self.consumer_config(&name, filter),
            )
        });
        let results = self.consumer_config(streams::API_CONSUMER, streams::RESULT_SUBJECTS.to_owned());
        let parts = self.consumer_config(streams::PARTS_CONSUMER, streams::PART_SUBJECTS.to_owned());
        tasks.chain([(streams::RESULTS, None, results), (streams::PARTS, None, parts)])
    }

    fn consumer_config(&self, name: &str, filter: String) -> pull::Config {
        pull::Config {
            durable_name: Some(name.to_owned()),
            filter_subject: filter,
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            // A delivery limit here would strand the message in the stream, and no metric would count it. The worker
            // enforces the limit itself.
            max_deliver: -1,
            // Shared by all replicas of the worker; every running task uses one.
            max_ack_pending: 10_000,
            num_replicas: self.replicas,
            ..Default::default()
        }
    }
}
