use std::{io, process::ExitStatus};

/// How a child ended when it did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {program}: {error}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It used up its wall clock or processor time.
    #[error("{program} used up its time")]
    TimedOut {
        /// The program.
        program: String,
    },
    /// The caller's token was cancelled; the child was killed.
    #[error("cancelled")]
    Cancelled,
    /// It answered with an error, or was killed by a signal.
    #[error("{program} ended with {status}: {tail}")]
    Failed {
        /// The program.
        program: String,
        /// Exit code or signal.
        status: ExitStatus,
        /// The last lines of its standard error.
        tail: String,
    },
    /// It wrote more to standard output than the caller wanted.
    #[error("{program} wrote more than {limit} bytes")]
    TooMuchOutput {
        /// The program.
        program: String,
        /// The bound in bytes.
        limit: usize,
    },
    /// Reading its output failed.
    #[error("reading the output of {program}: {error}")]
    Read {
        /// The program.
        program: String,
        /// Why.
        error: io::Error,
    },
}
