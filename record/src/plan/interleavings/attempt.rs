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

/// The next step of an attempt.
#[derive(Clone, Debug)]
pub(super) enum At {
    /// The handler runs.
    Work,
    /// The outputs are stored; the manifest is not.
    Claim(TaskResult),
    /// The result is to be published.
    Publish(TaskResult),
    /// The result is published; the task is to be acknowledged.
    Acknowledge,
}
