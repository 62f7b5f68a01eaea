//! What the sweeper does with an ended job.

use super::times::Times;
use crate::{job::Job, time::later};
use mongodb::bson::DateTime;
use std::time::Duration;

/// An announcement that is not stored by then is tried again.
const ANNOUNCE_CLAIM: Duration = Duration::from_secs(10);

/// The time of the job's tidying has come; it is done by whoever gets this stored.
pub fn claim_cleanup(job: &mut Job, times: Times, now: DateTime) -> bool {
    let due = job.status.is_terminal() && job.tidy_at.is_some_and(|time| time <= now);
    if due {
        // Again, should whoever does it die.
        job.tidy_at = Some(later(now, times.stale));
    }
    due
}

/// The job is tidy. False when it runs again, and will have to be tidied again.
pub fn cleaned_up(job: &mut Job) -> bool {
    job.status.is_terminal() && job.tidy_at.take().is_some()
}

/// The sweeper looks after an announcement: nobody else does for a while.
pub fn claim_announcement(job: &mut Job, now: DateTime) -> bool {
    let due = job
        .announcement
        .as_mut()
        .filter(|announcement| announcement.next_at <= now);
    due.is_some_and(|announcement| {
        announcement.next_at = later(now, ANNOUNCE_CLAIM);
        true
    })
}
