/// Remembers that a failure was logged, so that a row of failures makes one line in the log.
///
/// A loop that retries calls [`first_failure`](Self::first_failure) after each failure and
/// [`recovered`](Self::recovered) after each success.
///
/// ```
/// # use vidp_common::LogOnce;
/// let mut outage = LogOnce::default();
/// assert!(outage.first_failure(), "log this one");
/// assert!(!outage.first_failure());
/// assert!(outage.is_failing());
/// assert!(outage.recovered(), "log the recovery, if it is of interest");
/// assert!(!outage.recovered());
/// ```
#[derive(Debug, Default)]
pub struct LogOnce {
    failing: bool,
}

impl LogOnce {
    /// Notes a failure. True when it is the first since the last success: only that one is logged.
    #[must_use]
    pub fn first_failure(&mut self) -> bool {
        !std::mem::replace(&mut self.failing, true)
    }

    /// Notes a success, so that the next failure is logged again. True when a failure had been logged.
    pub fn recovered(&mut self) -> bool {
        std::mem::take(&mut self.failing)
    }

    /// The last note was a failure.
    pub fn is_failing(&self) -> bool {
        self.failing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_row_of_failures() {
        let mut log = LogOnce::default();
        assert!(!log.is_failing() && !log.recovered());
        for _ in 0..2 {
            assert!(log.first_failure());
            assert!(!log.first_failure() && !log.first_failure());
            assert!(log.is_failing());
            assert!(log.recovered());
            assert!(!log.recovered() && !log.is_failing());
        }
    }
}
