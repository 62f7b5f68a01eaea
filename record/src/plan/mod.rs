//! The state machine of a job, without I/O: how each event changes a job, and which tasks become due.
//!
//! Every function changes the job in memory and returns true when it did; the caller stores the job by compare-and-set.
//! Late or repeated events and events of another task change nothing, because terminal states absorb all events.

mod dispatch;
mod ended;
pub mod fetch;
mod messages;
mod requests;
mod retries;
mod settle;
mod stage;
mod task;
mod times;
mod upload;

pub use dispatch::{claim_stage, due, expired, lost, newly_due, rejected, sent};
pub use ended::{claim_announcement, claim_cleanup, cleaned_up};
pub use messages::{finished, progressed};
pub use requests::{cancelled, deleted, retried, set_retention};
pub use retries::{may_retry, seconds_to_retry};
pub use task::task;
pub use times::Times;
pub use upload::{abandoned, uploaded};

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod storable;
#[cfg(test)]
mod tests;
