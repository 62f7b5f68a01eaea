//! The settings of streams and consumers.

use super::connection::Queue;
use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::{self, DiscardPolicy, RetentionPolicy, StorageType},
};
use vidp_contract::{Lane, Stage, streams};

impl Queue {
    pub(super) fn stream_configs(&self) -> [stream::Config; 3] {
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
                // Just what has a consumer: the broker refuses anything else, which would lie there for ever.
                subjects: lanes.collect(),
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

    pub(super) fn consumer_config(&self, name: &str, filter: String) -> pull::Config {
        pull::Config {
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
        }
    }
}
