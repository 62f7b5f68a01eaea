//! Events of a job whose source is still to be fetched.

use super::{
    settle::settle,
    stage::{end, error},
    times::Times,
};
use crate::{
    job::{Job, JobStatus, StageStatus},
    source::Fetch,
    time::later,
};
use mongodb::bson::DateTime;
use std::time::Duration;
use vidp_contract::FailureCode;

/// Maximum number of tries after transient failures.
const MAX_TRIES: u32 = 6;
/// Backoff after the first try; it doubles after each try.
const FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// Error of a try to fetch a source.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A retry cannot succeed.
    #[error("{detail}")]
    Final {
        /// Failure code of the stages.
        code: FailureCode,
        /// Explanation in one sentence.
        detail: String,
    },
    /// A retry may succeed.
    #[error("{detail}")]
    Transient {
        /// Explanation in one sentence.
        detail: String,
        /// Shortest pause before the retry.
        pause: Duration,
    },
}

impl Failed {
    /// Creates an error that no retry can repair.
    pub fn permanent(code: FailureCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Failed::Final { code, detail }
    }

    /// Creates an error after which a retry may succeed.
    pub fn transient(why: impl std::fmt::Display) -> Self {
        Failed::busy(why, Duration::ZERO)
    }

    /// Creates an error after which a retry may succeed, but not before this pause.
    pub fn busy(why: impl std::fmt::Display, pause: Duration) -> Self {
        let detail = why.to_string();
        Failed::Transient { detail, pause }
    }
}

/// Claims the fetch for `lease` and begins a try. Returns false when the fetch is not due.
pub fn claim(job: &mut Job, lease: Duration, now: DateTime) -> bool {
    match waiting(job).filter(|fetch| fetch.next_at <= now) {
        Some(fetch) => {
            fetch.tries += 1;
            fetch.next_at = later(now, lease);
            true
        }
        None => false,
    }
}

/// Returns true while this try holds the claim.
pub fn is_claimed(job: &mut Job, try_number: u32) -> bool {
    waiting(job).is_some_and(|fetch| fetch.tries == try_number)
}

/// Renews the claim for `lease`.
pub fn renew(job: &mut Job, lease: Duration, now: DateTime) -> bool {
    let fetch = waiting(job);
    fetch.map(|fetch| fetch.next_at = later(now, lease)).is_some()
}

/// Records a failed try. Schedules a retry after the backoff, or after the longer pause that the server asked for, or fails the
/// job.
pub fn failed(job: &mut Job, failed: &Failed, times: Times, now: DateTime) -> bool {
    let Some(fetch) = waiting(job) else {
        return false;
    };
    let tries = fetch.tries;
    let (code, detail) = match failed {
        Failed::Transient { pause, .. } if tries < MAX_TRIES => {
            let backoff = FIRST_BACKOFF * 2_u32.pow(tries.saturating_sub(1));
            fetch.next_at = later(now, backoff.max(*pause));
            return true;
        }
        Failed::Transient { detail, .. } => (FailureCode::SourceMissing, detail),
        Failed::Final { code, detail } => (*code, detail),
    };
    for stage in job.stages.values_mut() {
        end(
            stage,
            StageStatus::Failed,
            Some(error(code.as_str(), detail)),
            now,
        );
    }
    settle(job, times, now);
    true
}

/// Returns the fetch of a job that is still uploading.
fn waiting(job: &mut Job) -> Option<&mut Fetch> {
    job.fetch.as_mut().filter(|_| job.status == JobStatus::Uploading)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::requests::cancelled;
    use vidp_contract::JobOptions;

    const LEASE: Duration = Duration::from_secs(20);

    fn times() -> Times {
        Times {
            stale: Duration::from_secs(60),
            tidy: Duration::from_secs(60),
            retention: Duration::from_secs(60),
            max_retention: Duration::from_secs(60),
        }
    }

    fn job(now: DateTime) -> Job {
        let id = uuid::Uuid::now_v7();
        let mut job = Job::uploading(
            id,
            "acme".into(),
            JobOptions::default(),
            "a".into(),
            String::new(),
            now,
        );
        job.fetch = Some(Fetch::new(now));
        job
    }

    #[test]
    fn one_at_a_time_fetches_and_the_next_after_its_lease() {
        let now = DateTime::from_millis(1_000_000);
        let mut job = job(now);
        assert!(claim(&mut job, LEASE, now) && !claim(&mut job, LEASE, now));
        assert!(is_claimed(&mut job, 1));
        assert!(renew(&mut job, LEASE, later(now, LEASE / 2)));
        assert!(!claim(&mut job, LEASE, later(now, LEASE)));
        assert!(claim(&mut job, LEASE, later(now, LEASE * 2)));
        assert!(!is_claimed(&mut job, 1) && is_claimed(&mut job, 2));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_then_fails() {
        let mut now = DateTime::from_millis(1_000_000);
        let mut job = job(now);
        let broken = Failed::transient("it broke off");
        for tries in 1..=MAX_TRIES {
            assert!(claim(&mut job, LEASE, now), "{tries}");
            assert!(failed(&mut job, &broken, times(), now));
            assert_eq!(job.status == JobStatus::Failed, tries == MAX_TRIES);
            assert!(!claim(&mut job, LEASE, now));
            now = later(now, Duration::from_secs(600));
        }
        let stage = job.stages.values().next().unwrap();
        assert_eq!(stage.error.as_ref().unwrap().code, "source_missing");
        assert!(job.fetch.is_none() && job.expires_at.is_some());
    }

    #[test]
    fn a_server_may_ask_for_a_longer_pause() {
        let now = DateTime::from_millis(1_000_000);
        let mut job = job(now);
        let pauses = [(0, 5), (60, 60), (1, 20), (40, 40), (80, 80)];
        let mut at = now;
        for (asked, expected) in pauses {
            assert!(claim(&mut job, LEASE, at));
            let busy = Failed::busy("the server is busy", Duration::from_secs(asked));
            assert!(failed(&mut job, &busy, times(), at));
            let next = job.fetch.as_ref().unwrap().next_at;
            assert_eq!(next, later(at, Duration::from_secs(expected)));
            at = next;
        }
    }

    #[test]
    fn what_will_not_pass_fails_at_once_and_a_cancelled_job_is_not_fetched() {
        let now = DateTime::from_millis(1_000_000);
        let mut gone = job(now);
        assert!(claim(&mut gone, LEASE, now));
        let failure = Failed::Final {
            code: FailureCode::MediaTooLarge,
            detail: "too large".into(),
        };
        assert!(failed(&mut gone, &failure, times(), now));
        assert_eq!(gone.status, JobStatus::Failed);
        let mut job = job(now);
        assert!(cancelled(&mut job, times(), now));
        assert!(!claim(&mut job, LEASE, now));
    }
}
