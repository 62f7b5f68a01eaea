//! The spans of time that the state machine needs.

use std::time::Duration;

/// How long a published task may be silent before the sweeper looks for it, when an ended job's losing attempts are
/// removed, and how long it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Silence before a look.
    pub stale: Duration,
    /// Objects of losing attempts are removed this long after the job's end, and only those that are older than that.
    pub tidy: Duration,
    /// Life of an ended job, unless its client wants another.
    pub retention: Duration,
    /// Longest life that a client may want.
    pub max_retention: Duration,
}
