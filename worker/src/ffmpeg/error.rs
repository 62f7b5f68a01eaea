use super::run::NO_ROOM;
use crate::attempt::TaskError;
use std::os::unix::process::ExitStatusExt;
use vidp_common::process::ProcessError;
use vidp_contract::FailureCode;

/// Why media could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file's own fault: another attempt would end the same way.
    #[error("{code}: {detail}")]
    Media {
        /// Stable code.
        code: FailureCode,
        /// A sentence for users.
        detail: String,
    },
    /// The program failed for a reason that need not be the file's.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// What a program says when its surroundings are at fault, not the file. "Input/output error" is not among them:
/// that is how some demuxers put the early end of a file.
const SURROUNDINGS: &[&str] = &[
    NO_ROOM,
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

/// The exit code of an ffmpeg that was asked to end.
const STOPPED: i32 = 255;

/// What ffprobe says of a container it knows but cannot open to its end.
const DAMAGED: &[&str] = &[
    "moov atom not found",
    "EBML header parsing failed",
    "error reading header",
    "Could not find codec parameters",
];

impl MediaError {
    /// The file's own fault.
    pub fn media(code: FailureCode, detail: impl Into<String>) -> Self {
        MediaError::Media {
            code,
            detail: detail.into(),
        }
    }

    /// What ffprobe's failure says of the file it was to describe.
    pub(super) fn probing(error: ProcessError) -> Self {
        Self::judge(error, |tail| {
            // The demuxer was chosen by the file's name alone.
            let guessed = tail.contains("misdetection possible");
            if !guessed && DAMAGED.iter().any(|phrase| tail.contains(phrase)) {
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

    /// What ffmpeg's failure says of a file that could be probed.
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

    /// Only an answer is a judgement of the file: a program that was stopped (ffmpeg then ends with 255), or had no
    /// disk or network, gave none.
    fn judge(error: ProcessError, of_tail: impl FnOnce(&str) -> Self) -> Self {
        match error {
            ProcessError::Failed { status, .. } if status.signal() == Some(libc::SIGXFSZ) => {
                of_tail("File too large")
            }
            ProcessError::Failed {
                program,
                status,
                tail,
            } if status.code().is_some_and(|code| code != STOPPED)
                && !SURROUNDINGS.iter().any(|phrase| tail.contains(phrase)) =>
            {
                tracing::info!(program, %status, tail, "the file was refused");
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
