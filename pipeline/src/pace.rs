//! The minimum rate at which bytes of a client or of a client's server must arrive.

use std::time::Duration;
use tokio::time::Instant;

/// Length of the windows over which the rate is measured.
const WINDOW: Duration = Duration::from_secs(30);

/// Measures the rate of one transfer.
pub struct Pace {
    min_kib_per_second: u64,
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// Starts the first window.
    pub fn start(min_kib_per_second: u64) -> Self {
        Pace {
            min_kib_per_second,
            since: Instant::now(),
            bytes: 0,
        }
    }

    /// Counts bytes that arrived. Returns false when a window ends below the minimum rate.
    pub fn record(&mut self, bytes: usize) -> bool {
        self.bytes += bytes as u64;
        let time = self.since.elapsed();
        if time < WINDOW {
            return true;
        }
        let in_time = self.bytes >= self.min_kib_per_second * 1024 * time.as_secs();
        *self = Pace::start(self.min_kib_per_second);
        in_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(bytes_per_second: usize, expected: bool) {
        let mut pace = Pace::start(4);
        let mut in_time = true;
        for _ in 0..90 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            in_time &= pace.record(bytes_per_second);
        }
        assert_eq!(in_time, expected, "{bytes_per_second}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_transfer_must_keep_the_minimum_rate() {
        check(4096, true).await;
        check(4000, false).await;
        check(1, false).await;
    }
}
