//! The minimum rate at which a body must arrive.

use crate::http::problem::{Code, Problem};
use std::time::{Duration, Instant};

/// Length of the windows over which the rate is measured.
const WINDOW: Duration = Duration::from_secs(30);
/// Longest pause between two pieces of a body.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// Measures the rate of one request's body.
pub(crate) struct Pace {
    min_kib_per_second: u64,
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// Starts the first window.
    pub(crate) fn start(min_kib_per_second: u64) -> Self {
        Pace {
            min_kib_per_second,
            since: Instant::now(),
            bytes: 0,
        }
    }

    /// Counts bytes that arrived; fails with 408 when a window ends below the minimum rate.
    pub(crate) fn record(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes as u64;
        let time = self.since.elapsed();
        if time < WINDOW {
            return Ok(());
        }
        if self.bytes < self.min_kib_per_second * 1024 * time.as_secs() {
            return Err(too_slow());
        }
        *self = Pace::start(self.min_kib_per_second);
        Ok(())
    }
}

/// The next piece of a body; fails with 408 when it does not arrive in time, and with 400 when the body ends
/// unexpectedly.
pub(crate) async fn timely<T, E: std::fmt::Display>(
    next: impl Future<Output = Result<Option<T>, E>>,
) -> Result<Option<T>, Problem> {
    match tokio::time::timeout(IDLE_LIMIT, next).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(Problem::invalid(format!(
            "the request body ended unexpectedly: {error}"
        ))),
        Err(_) => Err(too_slow()),
    }
}

fn too_slow() -> Problem {
    Problem::new(Code::TooSlow, "the upload arrived below the minimum rate")
}
