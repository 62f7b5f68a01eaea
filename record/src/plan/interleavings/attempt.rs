//! Attempts of workers.

use uuid::Uuid;
use vidp_contract::{Stage, TaskResult};

/// One delivery and the progress of its worker.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) task: (Stage, Uuid),
    pub(super) number: u32,
    pub(super) holds: bool,
    pub(super) at: At,
}

/// The note of a worker about the end of a delivery. Without a note and a result, the worker died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The attempt failed.
    Failed,
    /// The worker stopped and gave the task back.
    HandedOver,
}

/// The next step of an attempt.
#[derive(Clone, Debug)]
pub(super) enum At {
    /// The handler runs.
    Work,
    /// The outputs are stored; the manifest is not.
    Claim(TaskResult),
    /// The next step publishes the result.
    Publish(TaskResult),
    /// The result is published; the next step acknowledges the task.
    Acknowledge,
}
