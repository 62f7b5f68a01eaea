//! Finds the audio tracks that cannot be decoded, after an encode was refused.

use crate::{budget::MAX_TRACKS, job::Job};
use std::{
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use vidp_worker::ffmpeg::{self, Input, MediaError, process_limits};

/// Decoded frames that show that a track can be decoded.
const FRAMES: &str = "1000";

/// Decodes the beginning of each audio track and returns the indices of those that fail.
pub(crate) async fn undecodable(job: &Job<'_>) -> Result<Vec<u32>, MediaError> {
    let mut failed = Vec::new();
    for track in job.probe.audio.iter().take(MAX_TRACKS) {
        if !is_decodable(job, track.index).await? {
            failed.push(track.index);
        }
    }
    Ok(failed)
}

async fn is_decodable(job: &Job<'_>, index: u32) -> Result<bool, MediaError> {
    let mut args: Vec<OsString> = job.settings.limits.decode_args().into();
    args.extend(["-max_error_rate", "0.2"].map(OsString::from));
    args.extend(Input::File(job.source).args());
    let map = format!("0:{index}");
    args.extend(["-map", &map, "-frames:a", FRAMES, "-f", "null", "-"].map(OsString::from));
    let limits = process_limits(job.probe.facts.duration);
    let decoded = Arc::new(AtomicBool::new(false));
    let seen = decoded.clone();
    let on_progress = move |progressed: ffmpeg::Progressed| {
        seen.fetch_or(progressed.time_seconds > 0.0, Ordering::Relaxed);
    };
    let (tools, access) = (&job.settings.tools, job.access());
    match ffmpeg::run(tools, args, limits, &access, job.cancel, on_progress).await {
        Ok(_) => Ok(decoded.load(Ordering::Relaxed)),
        Err(error) => match MediaError::decoding(error) {
            MediaError::Media { .. } => Ok(false),
            error => Err(error),
        },
    }
}
