//! The least rate at which an upload may come in.

use crate::http::{pace::too_slow, problem::Problem};
use vidp_pipeline::Pipeline;
use std::time::{Duration, Instant};

/// The rate holds over windows of this length.
const WINDOW: Duration = Duration::from_secs(30);

/// Counts what comes in one request.
pub struct Pace {
    since: Instant,
    bytes: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            since: Instant::now(),
            bytes: 0,
        }
    }
}

impl Pace {
    /// So many bytes more; 408 when they were too few for too long.
    pub fn came(&mut self, app: &App, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes as u64;
        let time = self.since.elapsed();
        if time < WINDOW {
            return Ok(());
        }
        let wanted = app.config.min_upload_kib_per_second * 1024 * time.as_secs();
        if self.bytes < wanted {
            return Err(too_slow());
        }
        *self = Pace::default();
        Ok(())
    }
}
