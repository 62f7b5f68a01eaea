//! Arithmetic with MongoDB's times, which have millisecond precision. Sums saturate.

pub use mongodb::bson::DateTime;
use std::time::Duration;
use vidp_contract::Timestamp;

/// Returns `time` plus `by`.
pub fn later(time: DateTime, by: Duration) -> DateTime {
    DateTime::from_millis(time.timestamp_millis().saturating_add(millis(by)))
}

/// Returns now minus `by`.
pub fn ago(by: Duration) -> DateTime {
    DateTime::from_millis(DateTime::now().timestamp_millis().saturating_sub(millis(by)))
}

/// Returns now plus `by`.
pub fn after(by: Duration) -> DateTime {
    later(DateTime::now(), by)
}

/// Returns the duration from `time` to now; zero when `time` lies in the future.
pub fn since(time: DateTime) -> Duration {
    let millis = DateTime::now()
        .timestamp_millis()
        .saturating_sub(time.timestamp_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Converts a client's time, truncated to milliseconds.
pub fn from_timestamp(time: Timestamp) -> DateTime {
    let millis = time.unix_timestamp_nanos() / 1_000_000;
    DateTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
