//! The job's state machine: what each event makes of a job, and what is to be done next. No I/O.
//!
//! Every function changes the job and says whether it did; the caller stores it by compare-and-set. Events that come
//! late, twice or for another task change nothing: terminal states absorb.

mod dispatch;
mod ended;
pub mod fetch;
mod messages;
mod requests;
mod settle;
mod stage;
mod task;
mod times;
mod upload;

pub use dispatch::{claim_stage, due, expired, lost, newly_due, sent};
pub use ended::{claim_announcement, claim_cleanup, cleaned_up};
pub use messages::{finished, progressed};
pub use requests::{cancelled, deleted, retried, set_retention};
pub use task::task;
pub use times::Times;
pub use upload::{abandoned, uploaded};

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
