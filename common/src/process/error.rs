use std::{io, process::ExitStatus};

/// Failure of a child program.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("cannot start {program}: {error}")]
    Start {
        /// The program.
        program: String,
        /// The cause.
        error: io::Error,
    },
    /// The program used up its wall-clock or processor time.
    #[error("{program} used up its time")]
    TimedOut {
        /// The program.
        program: String,
    },
    /// The caller's token was cancelled; the child was killed.
    #[error("cancelled")]
    Cancelled,
    /// The program ended with an error code or was killed by a signal.
    #[error("{program} ended with {status}: {tail}")]
    Failed {
        /// The program.
        program: String,
        /// Exit code or signal.
        status: ExitStatus,
        /// The last lines of its standard error.
        tail: String,
    },
    /// The program wrote more to standard output than the caller allows.
    #[error("{program} wrote more than {limit} bytes")]
    TooMuchOutput {
        /// The program.
        program: String,
        /// The bound in bytes.
        limit: usize,
    },
    /// Its output could not be read.
    #[error("reading the output of {program}: {error}")]
    Read {
        /// The program.
        program: String,
        /// The cause.
        error: io::Error,
    },
}
