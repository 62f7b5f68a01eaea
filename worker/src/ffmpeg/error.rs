use super::run::DISK_FULL;
use crate::attempt::TaskError;
use std::os::unix::process::ExitStatusExt;
use vidp_common::process::ProcessError;
use vidp_contract::FailureCode;

/// A failure to read or write media.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file is at fault: a retry would fail too.
    #[error("{code}: {detail}")]
    Media {
        /// The stable code.
        code: FailureCode,
        /// A sentence for users.
        detail: String,
    },
    /// The program failed, and the file may not be the reason.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// Messages of ffmpeg and ffprobe that show a fault of the machine or the network, not of the file.
///
/// "Input/output error" is not in this list: some demuxers print it for a file that ends early.
const ENVIRONMENT_ERRORS: &[&str] = &[
    DISK_FULL,
    "HTTP error",
    "Server returned",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Failed to resolve",
    "Stream ends prematurely",
    "TLS",
    "Unknown encoder",
    "Unknown decoder",
    "No such filter",
    "Unrecognized option",
    "Network is unreachable",
];

/// Exit code of an ffmpeg that was stopped by a signal it handles.
const STOPPED_EXIT_CODE: i32 = 255;

/// Messages of ffprobe for a container that it knows but cannot read completely.
const DAMAGE_MESSAGES: &[&str] = &[
    "moov atom not found",
    "EBML header parsing failed",
    "error reading header",
    "Could not find codec parameters",
];

impl MediaError {
    /// An error that is the fault of the file.
    pub fn media(code: FailureCode, detail: impl Into<String>) -> Self {
        MediaError::Media {
            code,
            detail: detail.into(),
        }
    }

    /// Converts a failure of ffprobe.
    pub(super) fn probing(error: ProcessError) -> Self {
        Self::judge(error, |tail| {
            // ffprobe chose the demuxer only by the name of the file.
            let guessed = tail.contains("misdetection possible");
            if !guessed && DAMAGE_MESSAGES.iter().any(|phrase| tail.contains(phrase)) {
                Self::media(
                    FailureCode::DamagedMedia,
                    "the file is damaged or incomplete: its index cannot be read",
                )
            } else {
                Self::media(
                    FailureCode::UnsupportedMedia,
                    "the file is not a video or audio file of a kind that is accepted",
                )
            }
        })
    }

    /// Converts a failure of ffmpeg on a file that was probed successfully.
    pub fn decoding(error: ProcessError) -> Self {
        Self::judge(error, |tail| {
            if tail.contains("Cannot allocate memory") || tail.contains("File too large") {
                Self::media(
                    FailureCode::MediaTooLarge,
                    "the file needs more memory or disk than one job may use",
                )
            } else {
                Self::media(
                    FailureCode::DamagedMedia,
                    "the file is damaged: it cannot be decoded to its end",
                )
            }
        })
    }

    /// Decides whether a failure is the fault of the file; only then `of_tail` maps the last lines to an error.
    ///
    /// It is not when the program was stopped (ffmpeg then ends with 255) or lacked disk or network.
    fn judge(error: ProcessError, of_tail: impl FnOnce(&str) -> Self) -> Self {
        match error {
            ProcessError::Failed { status, .. } if status.signal() == Some(libc::SIGXFSZ) => {
                of_tail("File too large")
            }
            ProcessError::Failed {
                program,
                status,
                tail,
            } if status.code().is_some_and(|code| code != STOPPED_EXIT_CODE)
                && !ENVIRONMENT_ERRORS.iter().any(|phrase| tail.contains(phrase)) =>
            {
                tracing::info!(program, %status, tail, "ffmpeg or ffprobe refused the file");
                of_tail(&tail)
            }
            other => MediaError::Process(other),
        }
    }
}

impl From<MediaError> for TaskError {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Media { code, detail } => TaskError::Fail { code, detail },
            MediaError::Process(ProcessError::Cancelled) => TaskError::Cancelled,
            MediaError::Process(ProcessError::TimedOut { .. }) => TaskError::fail(
                FailureCode::TimedOut,
                "reading or converting the file took longer than one job may take",
            ),
            MediaError::Process(other) => TaskError::Retry(other.into()),
        }
    }
}
