//! The limit of failed authentications per client address.
//!
//! A failure is counted before the key is looked up, and given back when the key is valid, so that a flood of unknown keys
//! costs no more reads of the database than the limit allows.

use crate::http::problem::{Code, Problem};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Time in which the whole limit is available again.
const WINDOW: Duration = Duration::from_secs(60);
/// Number of addresses at which those without a recent failure are removed.
const CLEANUP_SIZE: usize = 10_000;

/// Counts failures by address. They expire evenly over a minute.
pub(crate) struct Failures {
    limit: u32,
    counts: Mutex<HashMap<IpAddr, Count>>,
}

/// The failures of an address that have not expired.
#[derive(Clone, Copy)]
struct Count {
    failures: f64,
    at: Instant,
}

/// One request whose client is not known yet.
pub(crate) struct Stranger<'a> {
    failures: &'a Failures,
    address: Option<IpAddr>,
    counted: bool,
}

impl Failures {
    /// Allows `limit` failures per minute, also in one burst; 0 means no limit.
    pub(crate) fn per_minute(limit: u32) -> Self {
        Failures {
            limit,
            counts: Mutex::default(),
        }
    }

    /// The client of a request; without an address its failures are not limited.
    pub(crate) fn stranger(&self, address: Option<IpAddr>) -> Stranger<'_> {
        Stranger {
            failures: self,
            address: address.filter(|_| self.limit > 0).map(network),
            counted: false,
        }
    }

    /// Counts a failure, or returns the time until the next is allowed.
    fn take(&self, address: IpAddr) -> Result<(), Duration> {
        let mut counts = self.counts.lock();
        if counts.len() >= CLEANUP_SIZE {
            counts.retain(|_, count| self.remaining(*count) > 0.0);
        }
        let now = Instant::now();
        let count = counts.entry(address).or_insert(Count {
            failures: 0.0,
            at: now,
        });
        let failures = self.remaining(*count) + 1.0;
        let excess = failures - f64::from(self.limit);
        if excess > 0.0 {
            return Err(WINDOW.mul_f64(excess / f64::from(self.limit)));
        }
        *count = Count { failures, at: now };
        Ok(())
    }

    fn give_back(&self, address: IpAddr) {
        if let Some(count) = self.counts.lock().get_mut(&address) {
            count.failures = (count.failures - 1.0).max(0.0);
        }
    }

    /// The failures that have not expired by now.
    fn remaining(&self, count: Count) -> f64 {
        let expired = count.at.elapsed().div_duration_f64(WINDOW) * f64::from(self.limit);
        (count.failures - expired).max(0.0)
    }
}

impl Stranger<'_> {
    /// Counts a failure, once per request; 429 for an address with too many.
    pub(crate) fn count(&mut self) -> Result<(), Problem> {
        let Some(address) = self.address.filter(|_| !self.counted) else {
            return Ok(());
        };
        let taken = self.failures.take(address);
        self.counted = taken.is_ok();
        taken.map_err(|wait| {
            let detail = format!(
                "too many failed authentications: the limit is {} per minute",
                self.failures.limit
            );
            let seconds = wait.as_secs_f64().ceil() as u32;
            Problem::new(Code::TooManyRequests, detail).after(seconds.max(1))
        })
    }

    /// Records that the key is valid: the failure that was counted in advance is given back.
    pub(crate) fn give_back(self) {
        if let Some(address) = self.address.filter(|_| self.counted) {
            self.failures.give_back(address);
        }
    }
}

/// The network that one client usually has for itself: an IPv4 address, or the first 64 bits of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_failures_a_minute() {
        let failures = Failures::per_minute(3);
        let fail = |address: &str| failures.stranger(Some(address.parse().unwrap())).count().is_ok();
        assert!(fail("192.0.2.1") && fail("192.0.2.1"));
        let mut valid = failures.stranger(Some("192.0.2.1".parse().unwrap()));
        valid.count().unwrap();
        assert!(!fail("192.0.2.1"));
        valid.give_back();
        assert!(fail("192.0.2.1") && !fail("192.0.2.1") && fail("192.0.2.2"));
        let mut limited = failures.stranger(Some("192.0.2.1".parse().unwrap()));
        assert!(limited.count().unwrap_err().detail().contains("3 per minute"));
        // All addresses of a client's own network are one.
        assert!(fail("2001:db8::1") && fail("2001:db8::2") && fail("2001:db8::3:0:0:1"));
        assert!(!fail("2001:db8::4") && fail("2001:db8:0:1::1"));
    }

    #[test]
    fn a_request_is_counted_once_and_zero_means_no_limit() {
        let failures = Failures::per_minute(1);
        let mut stranger = failures.stranger(Some("192.0.2.1".parse().unwrap()));
        assert!(stranger.count().is_ok() && stranger.count().is_ok());
        let unlimited = Failures::per_minute(0);
        let mut stranger = unlimited.stranger(Some("192.0.2.1".parse().unwrap()));
        assert!(stranger.count().is_ok());
        assert!(unlimited.counts.lock().is_empty());
    }
}
