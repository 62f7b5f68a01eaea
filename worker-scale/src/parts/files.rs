//! Files of parts: errors and removal.

use std::{fs, path::PathBuf};
use vidp_contract::FailureCode;
use vidp_worker::ffmpeg::MediaError;

/// The error of a part that cannot be used. Its film is made in one piece.
pub(super) fn lacking(reason: &str) -> MediaError {
    MediaError::media(FailureCode::DamagedMedia, format!("a part of the film {reason}"))
}

/// Removes files that are no longer needed; a file that is missing already is no error.
pub(super) fn remove(paths: &[PathBuf]) {
    for path in paths {
        let _ = fs::remove_file(path);
    }
}
