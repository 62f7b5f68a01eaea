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
    let is_over = job.status.is_terminal() && job.tidy_at.take().is_some();
    if is_over {
        // The parts of a stream that was played while it was made are gone.
        let streams = job.stages.values_mut().filter_map(|state| state.stream.as_mut());
        streams.for_each(|stream| stream.parts = 0);
    }
    is_over
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
