use super::run::DISK_FULL;
use crate::attempt::TaskError;
use std::{io, os::unix::process::ExitStatusExt};
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
    "No such file or directory",
    "Unable to re-open",
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

/// Messages of ffmpeg when it has no decoder for a stream.
const DECODER_MESSAGES: &[&str] = &[
    ") not found for input stream",
    "Decoder not found",
    "no decoder found for",
    "not on whitelist",
    "Error while opening decoder",
    "is not implemented. Update your FFmpeg",
];

/// Messages of ffmpeg when an encoder or a filter refuses sizes, rates or layouts.
const ENCODER_MESSAGES: &[&str] = &[
    "Error while opening encoder",
    "Error reinitializing filters",
    "Error initializing filter",
    "Error initializing complex filters",
    "Failed to configure output pad",
    "Rematrix is needed between",
    "Error configuring filter graph",
    "Error binding filtergraph",
];

impl MediaError {
    /// An error that is the fault of the file.
    pub fn media(code: FailureCode, detail: impl Into<String>) -> Self {
        MediaError::Media {
            code,
            detail: detail.into(),
        }
    }

    /// A file or a pipe of ffmpeg that this machine could not read or write.
    pub fn reading(error: io::Error) -> Self {
        MediaError::Process(ProcessError::Read {
            program: "ffmpeg".to_owned(),
            error,
        })
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
    ///
    /// A file is damaged only if no other reason is known: a missing decoder and the limits of an encoder or filter are
    /// not its fault.
    pub fn decoding(error: ProcessError) -> Self {
        Self::judge(error, |tail| {
            let has = |messages: &[&str]| messages.iter().any(|message| tail.contains(message));
            if has(&["Cannot allocate memory", "File too large"]) {
                Self::media(
                    FailureCode::MediaTooLarge,
                    "the file needs more memory or disk than one job may use",
                )
            } else if has(DECODER_MESSAGES) {
                Self::media(
                    FailureCode::UnsupportedMedia,
                    "the file has a codec, or a variant of one, that is not accepted",
                )
            } else if has(ENCODER_MESSAGES) {
                Self::media(
                    FailureCode::UnsupportedMedia,
                    "the encoder does not accept the picture or sound of the file",
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
    /// It is not when the program was stopped (ffmpeg then ends with 255) or lacked disk or network. Only the program's
    /// own lines count: indented lines describe the file, with its tags.
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
                && !ENVIRONMENT_ERRORS
                    .iter()
                    .any(|phrase| own_lines(&tail).contains(phrase)) =>
            {
                tracing::info!(program, %status, tail, "ffmpeg or ffprobe refused the file");
                of_tail(&own_lines(&tail))
            }
            other => MediaError::Process(other),
        }
    }
}

/// The lines without those that describe the file.
fn own_lines(tail: &str) -> String {
    let own = tail.lines().filter(|line| !line.starts_with(' '));
    own.collect::<Vec<_>>().join("\n")
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
            MediaError::Process(ProcessError::TooMuchOutput { .. }) => TaskError::fail(
                FailureCode::MediaTooLarge,
                "reading the file produced more data than one job may use",
            ),
            MediaError::Process(other) => TaskError::Retry(other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    #[test]
    fn a_refusal_of_a_tool_is_no_damage() {
        let check = |tail: &str, expected| {
            let error = ProcessError::Failed {
                program: "ffmpeg".to_owned(),
                status: ExitStatus::from_raw(1 << 8),
                tail: format!("{tail}\nConversion failed!"),
            };
            let MediaError::Media { code, .. } = MediaError::decoding(error) else {
                panic!("{tail}");
            };
            assert_eq!(code, expected, "{tail}");
        };
        check(
            "Decoder (codec none) not found for input stream #0:0",
            FailureCode::UnsupportedMedia,
        );
        check(
            "Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0",
            FailureCode::UnsupportedMedia,
        );
        check(
            "[auto_aresample_0 @ 0x55] Rematrix is needed between 12 channels and mono but there is not enough information",
            FailureCode::UnsupportedMedia,
        );
        check("[x] Cannot allocate memory", FailureCode::MediaTooLarge);
        check(
            "Error while decoding stream #0:0: Invalid data found when processing input",
            FailureCode::DamagedMedia,
        );
    }

    #[test]
    fn the_tags_of_a_file_are_no_errors_of_the_machine() {
        let check = |tail: &str, is_file: bool| {
            let failed = || ProcessError::Failed {
                program: "ffmpeg".to_owned(),
                status: ExitStatus::from_raw(1 << 8),
                tail: tail.to_owned(),
            };
            let is_media = |error| matches!(error, MediaError::Media { .. });
            assert_eq!(is_media(MediaError::decoding(failed())), is_file, "{tail}");
            assert_eq!(is_media(MediaError::probing(failed())), is_file, "{tail}");
        };
        check("Input #0, mov\n    title           : TLS in Practice", true);
        check(
            "    title           : a | HTTP error\n                    : TLS",
            true,
        );
        check("[tls @ 0x55] TLS fatal alert", false);
        check("[https @ 0x55] HTTP error 503 Service Unavailable", false);
        check("http://s3:9000/vidp/source?...: Connection refused", false);
    }
}
