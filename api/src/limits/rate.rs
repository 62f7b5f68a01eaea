//! The limit of requests per minute, with the header fields that report it to the client.
//!
//! draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` has the quota `q` and its window `w` in seconds;
//! `RateLimit` has the remaining requests `r` and the seconds `t` until the whole quota is available again. Requests are
//! counted by GCRA (ITU-T I.371): the quota refills evenly, and not at the end of a window.

use crate::http::problem::{Code, Problem};
use axum::http::{HeaderMap, HeaderValue};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
};
use std::{
    hash::Hash,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Window of the quota, in seconds.
const WINDOW_SECONDS: u32 = 60;
/// Requests between two removals of idle keys.
const CLEANUP_INTERVAL: u32 = 10_000;

/// Counts requests by key.
pub(crate) struct Rate<K: Hash + Eq + Clone> {
    limit: Option<(NonZeroU32, DefaultKeyedRateLimiter<K, StateInformationMiddleware>)>,
    requests: AtomicU32,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// Allows `limit` requests per minute, also in one burst; 0 means no limit.
    pub(crate) fn per_minute(limit: u32) -> Self {
        let limiter = |limit| {
            let limiter = RateLimiter::keyed(Quota::per_minute(limit));
            (limit, limiter.with_middleware::<StateInformationMiddleware>())
        };
        Rate {
            limit: NonZeroU32::new(limit).map(limiter),
            requests: AtomicU32::new(0),
        }
    }

    /// Counts a request; `None` without a limit.
    pub(crate) fn take(&self, key: &K) -> Option<Allowance> {
        self.take_many(key, 1)
    }

    /// Counts a request that costs as much as `count` requests, at most the whole quota; `None` without a limit.
    pub(crate) fn take_many(&self, key: &K, count: u32) -> Option<Allowance> {
        let (limit, limiter) = self.limit.as_ref()?;
        if self.requests.fetch_add(1, Ordering::Relaxed) % CLEANUP_INTERVAL == CLEANUP_INTERVAL - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let count = NonZeroU32::new(count)?.min(*limit);
        let (remaining, wait) = match limiter.check_key_n(key, count) {
            Ok(Ok(state)) => (state.remaining_burst_capacity(), None),
            Ok(Err(until)) => (0, Some(until.wait_time_from(DefaultClock::default().now()))),
            // Impossible: the count is at most the quota.
            Err(_) => (0, Some(Duration::from_secs(WINDOW_SECONDS.into()))),
        };
        Some(Allowance {
            limit: limit.get(),
            remaining,
            wait,
        })
    }
}

/// The quota of a client after a request.
#[derive(Debug)]
pub(crate) struct Allowance {
    limit: u32,
    remaining: u32,
    /// Time until the next allowed request; only after a request beyond the quota.
    wait: Option<Duration>,
}

impl Allowance {
    /// True if the request exceeded the quota.
    pub(crate) fn is_used_up(&self) -> bool {
        self.wait.is_some()
    }

    /// 429 with `Retry-After`.
    pub(crate) fn problem(&self, why: &str) -> Problem {
        let seconds = self.wait.unwrap_or_default().as_secs_f64().ceil() as u32;
        Problem::new(
            Code::TooManyRequests,
            format!("{why}: the limit is {} per minute", self.limit),
        )
        .after(seconds.max(1))
    }

    /// Writes the fields `RateLimit-Policy` and `RateLimit`.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let used = self.limit - self.remaining.min(self.limit);
        let full = u64::from(used) * u64::from(WINDOW_SECONDS);
        let fields = [
            (
                "ratelimit-policy",
                format!("\"requests\";q={};w={WINDOW_SECONDS}", self.limit),
            ),
            (
                "ratelimit",
                format!(
                    "\"requests\";r={};t={}",
                    self.remaining,
                    full.div_ceil(self.limit.into())
                ),
            ),
        ];
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_its_quota_and_then_waits() {
        let rate = Rate::per_minute(3);
        let record = |key: &str| {
            let allowance = rate.take(&key.to_owned()).unwrap();
            let mut headers = HeaderMap::new();
            allowance.write(&mut headers);
            (
                allowance.is_used_up(),
                headers["ratelimit"].to_str().unwrap().to_owned(),
            )
        };
        assert_eq!(record("a"), (false, "\"requests\";r=2;t=20".to_owned()));
        assert_eq!(record("a"), (false, "\"requests\";r=1;t=40".to_owned()));
        assert_eq!(record("a"), (false, "\"requests\";r=0;t=60".to_owned()));
        assert_eq!(record("a"), (true, "\"requests\";r=0;t=60".to_owned()));
        assert_eq!(record("b"), (false, "\"requests\";r=2;t=20".to_owned()));
        let wait = rate.take(&"a".to_owned()).unwrap().wait.unwrap();
        assert!(
            wait > Duration::from_secs(18) && wait <= Duration::from_secs(20),
            "{wait:?}"
        );
    }

    #[test]
    fn an_expensive_request_costs_several() {
        let rate = Rate::per_minute(25);
        let search = || rate.take_many(&1, 10).unwrap().is_used_up();
        assert_eq!([search(), search(), search()], [false, false, true]);
        assert!(!rate.take(&1).unwrap().is_used_up());
        // A cost above the whole quota is the whole quota.
        assert!(!Rate::per_minute(5).take_many(&1, 10).unwrap().is_used_up());
    }

    #[test]
    fn zero_means_no_limit() {
        assert!(Rate::per_minute(0).take(&1).is_none());
    }
}
