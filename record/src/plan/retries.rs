//! The number of a job's retries within a day.

use crate::{
    job::{Job, Retries},
    time::later,
};
use mongodb::bson::DateTime;
use std::time::Duration;

/// Time after which the count of retries starts again at zero.
const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Returns true when the job may be retried once more, of `per_day` times; 0 means no limit.
pub fn may_retry(job: &Job, per_day: u32, now: DateTime) -> bool {
    per_day == 0 || recent(job, now).is_none_or(|retries| retries.count < per_day)
}

/// Returns the seconds until the count of retries starts again.
pub fn seconds_to_retry(job: &Job, now: DateTime) -> u32 {
    let end = job.retries.map_or(now, |retries| later(retries.since, WINDOW));
    let millis = end.timestamp_millis().saturating_sub(now.timestamp_millis());
    u32::try_from(millis / 1000).unwrap_or(0)
}

/// Counts a retry.
pub(super) fn count(job: &mut Job, now: DateTime) {
    let before = recent(job, now).unwrap_or(Retries { since: now, count: 0 });
    job.retries = Some(Retries {
        count: before.count.saturating_add(1),
        ..before
    });
}

/// The count, unless its window has ended.
fn recent(job: &Job, now: DateTime) -> Option<Retries> {
    job.retries.filter(|retries| now < later(retries.since, WINDOW))
}
