//! Time limits of the state machine.

use std::time::Duration;

/// Time limits of the state machine, from the settings.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Time without progress after which the sweeper checks a published task.
    pub stale: Duration,
    /// Delay of the cleanup after the job's end. The cleanup removes only attempts that are older than this.
    pub tidy: Duration,
    /// Retention of an ended job, unless its client requests another.
    pub retention: Duration,
    /// Longest retention that a client may request.
    pub max_retention: Duration,
}
