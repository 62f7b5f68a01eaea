//! Requests a minute, with the header fields that tell the client how many are left.
//!
//! draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` has the quota `q` and its window `w` in seconds,
//! `RateLimit` what remains (`r`) and the seconds `t` until all of it is there again. The counting is GCRA (ITU-T I.371):
//! what was used comes back evenly, and not at the end of a window.

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

/// Seconds.
const WINDOW: u32 = 60;
/// After so many requests, those who have not come for long are forgotten.
const CLEAN: u32 = 10_000;

/// Counts by key.
pub struct Rate<K: Hash + Eq + Clone> {
    limit: Option<(NonZeroU32, DefaultKeyedRateLimiter<K, StateInformationMiddleware>)>,
    requests: AtomicU32,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// So many at once, and so many a minute; 0 is no limit.
    pub fn per_minute(limit: u32) -> Self {
        let limiter = |limit| {
            let limiter = RateLimiter::keyed(Quota::per_minute(limit));
            (limit, limiter.with_middleware::<StateInformationMiddleware>())
        };
        Rate {
            limit: NonZeroU32::new(limit).map(limiter),
            requests: AtomicU32::new(0),
        }
    }

    /// Counts one; `None` when there is no limit.
    pub fn take(&self, key: &K) -> Option<Allowance> {
        let (limit, limiter) = self.limit.as_ref()?;
        if self.requests.fetch_add(1, Ordering::Relaxed) % CLEAN == CLEAN - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let (remaining, wait) = match limiter.check_key(key) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(until.wait_time_from(DefaultClock::default().now()))),
        };
        Some(Allowance {
            limit: limit.get(),
            remaining,
            wait,
        })
    }
}

/// What is left to a client.
#[derive(Debug)]
pub struct Allowance {
    limit: u32,
    remaining: u32,
    /// Until the next one; of a request that was too much.
    wait: Option<Duration>,
}

impl Allowance {
    /// This request was too much.
    pub fn is_used_up(&self) -> bool {
        self.wait.is_some()
    }

    /// 429, with the time to wait.
    pub fn problem(&self, why: &str) -> Problem {
        let seconds = self.wait.unwrap_or_default().as_secs_f64().ceil() as u32;
        Problem::new(Code::TooManyRequests, format!("{why}: {} a minute", self.limit)).after(seconds.max(1))
    }

    /// Says so in the answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        let used = self.limit - self.remaining.min(self.limit);
        let full = u64::from(used) * u64::from(WINDOW);
        let fields = [
            (
                "ratelimit-policy",
                format!("\"requests\";q={};w={WINDOW}", self.limit),
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
        let said = |key: &str| {
            let allowance = rate.take(&key.to_owned()).unwrap();
            let mut headers = HeaderMap::new();
            allowance.write(&mut headers);
            (
                allowance.is_used_up(),
                headers["ratelimit"].to_str().unwrap().to_owned(),
            )
        };
        assert_eq!(said("a"), (false, "\"requests\";r=2;t=20".to_owned()));
        assert_eq!(said("a"), (false, "\"requests\";r=1;t=40".to_owned()));
        assert_eq!(said("a"), (false, "\"requests\";r=0;t=60".to_owned()));
        assert_eq!(said("a"), (true, "\"requests\";r=0;t=60".to_owned()));
        assert_eq!(said("b"), (false, "\"requests\";r=2;t=20".to_owned()));
        let wait = rate.take(&"a".to_owned()).unwrap().wait.unwrap();
        assert!(
            wait > Duration::from_secs(18) && wait <= Duration::from_secs(20),
            "{wait:?}"
        );
    }

    #[test]
    fn none_is_no_limit() {
        assert!(Rate::per_minute(0).take(&1).is_none());
    }
}
