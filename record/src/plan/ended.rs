//! Claims of the sweeper on an ended job.

use super::times::Times;
use crate::{job::Job, time::later};
use mongodb::bson::DateTime;
use std::time::Duration;

/// Claim of the sweeper on an announcement. The announcement is repeated after this time.
const ANNOUNCE_CLAIM: Duration = Duration::from_secs(10);

/// Claims the due cleanup of a job. The process that stores the change does the cleanup.
pub fn claim_cleanup(job: &mut Job, times: Times, now: DateTime) -> bool {
    let due = job.status.is_terminal() && job.tidy_at.is_some_and(|time| time <= now);
    if due {
        // Due again later, in case this process dies.
        job.tidy_at = Some(later(now, times.stale));
    }
    due
}

/// Records that the cleanup is done. Returns false when the job runs again: its next end schedules another cleanup.
pub fn cleaned_up(job: &mut Job) -> bool {
    job.status.is_terminal() && job.tidy_at.take().is_some()
}

/// Claims a due announcement for the sweeper.
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
