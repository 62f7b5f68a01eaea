use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

/// An error that prevented the start of a process. The text names the process and ends with its last log lines.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program is neither on the PATH nor in `.engines/bin`.
    #[error("{0} is not installed: run `make setup`, or put it on the PATH")]
    NotFound(String),
    /// The program could not be run, or its files could not be written.
    #[error("{name} cannot be started: {source}")]
    Io {
        /// Name of the process.
        name: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The process ended before it was ready.
    #[error("{name} ended with {status} before it was ready{}", logged(.log, .tail))]
    Exited {
        /// Name of the process.
        name: String,
        /// Its exit status.
        status: ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The process runs, but was not ready in time.
    #[error("{name} was not ready after {after:?}{}{}", because(.reason), logged(.log, .tail))]
    TimedOut {
        /// Name of the process.
        name: String,
        /// The exceeded time limit.
        after: Duration,
        /// The condition that the start was waiting for; empty when unknown.
        reason: String,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
}

impl StartError {
    pub(crate) fn io(name: &str) -> impl Fn(io::Error) -> StartError + '_ {
        move |source| StartError::Io {
            name: name.to_owned(),
            source,
        }
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}

fn logged(log: &std::path::Path, tail: &str) -> String {
    if tail.is_empty() {
        format!("; {} is empty", log.display())
    } else {
        format!("; {} ends:\n{tail}", log.display())
    }
}
