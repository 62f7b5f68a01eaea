//! Streams and consumers that are not as the API has made them.

use async_nats::jetstream::{
    consumer::{self, pull},
    stream,
};
use std::fmt;

/// A stream or consumer that is missing, paused, or has other settings than those of this release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueProblem {
    /// Name of the stream or consumer.
    pub object: String,
    /// The kind of problem.
    pub kind: ProblemKind,
    /// A sentence for operators.
    pub detail: String,
}

/// The kind of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// It does not exist. The sweeper creates it again.
    Missing,
    /// A consumer delivers nothing until its pause ends. Only a person pauses a consumer.
    Paused,
    /// A person has changed its settings.
    Changed,
}

impl ProblemKind {
    /// All kinds.
    pub const ALL: [ProblemKind; 3] = [ProblemKind::Missing, ProblemKind::Paused, ProblemKind::Changed];

    /// The name for metrics and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            ProblemKind::Missing => "missing",
            ProblemKind::Paused => "paused",
            ProblemKind::Changed => "changed",
        }
    }
}

impl QueueProblem {
    pub(super) fn missing(what: &str, name: &str) -> QueueProblem {
        QueueProblem {
            object: name.to_owned(),
            kind: ProblemKind::Missing,
            detail: format!("the {what} {name} does not exist"),
        }
    }

    /// The problem of an existing consumer.
    pub(super) fn of_consumer(found: &consumer::Info, expected: &pull::Config) -> Option<QueueProblem> {
        let name = &found.name;
        if found.paused {
            let seconds = found.pause_remaining.unwrap_or_default().as_secs();
            return Some(QueueProblem {
                object: name.clone(),
                kind: ProblemKind::Paused,
                detail: format!("the consumer {name} is paused for another {seconds} s and delivers nothing"),
            });
        }
        let own = &found.config;
        let settings = [
            differs("ack_wait", &own.ack_wait, &expected.ack_wait),
            differs("max_deliver", &own.max_deliver, &expected.max_deliver),
            differs("max_ack_pending", &own.max_ack_pending, &expected.max_ack_pending),
            differs("filter_subject", &own.filter_subject, &expected.filter_subject),
            differs("backoff", &own.backoff, &expected.backoff),
            differs("headers_only", &own.headers_only, &expected.headers_only),
        ];
        changed("consumer", name, settings)
    }

    /// The problem of an existing stream.
    pub(super) fn of_stream(found: &stream::Config, expected: &stream::Config) -> Option<QueueProblem> {
        let settings = [
            differs("subjects", &found.subjects, &expected.subjects),
            differs("max_bytes", &found.max_bytes, &expected.max_bytes),
            differs("max_age", &found.max_age, &expected.max_age),
            differs("discard", &found.discard, &expected.discard),
            differs("sealed", &found.sealed, &expected.sealed),
        ];
        changed("stream", &found.name, settings)
    }
}

fn changed<const N: usize>(what: &str, name: &str, settings: [Option<String>; N]) -> Option<QueueProblem> {
    let settings: Vec<_> = settings.into_iter().flatten().collect();
    (!settings.is_empty()).then(|| QueueProblem {
        object: name.to_owned(),
        kind: ProblemKind::Changed,
        detail: format!("the {what} {name} was changed: {}", settings.join(", ")),
    })
}

/// Describes a setting with another value than expected.
fn differs<T: PartialEq + fmt::Debug>(name: &str, found: &T, expected: &T) -> Option<String> {
    (found != expected).then(|| format!("{name} is {found:?} instead of {expected:?}"))
}
