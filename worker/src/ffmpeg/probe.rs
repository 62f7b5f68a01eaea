use super::{
    error::MediaError,
    input::Input,
    limits::{MediaLimits, process_limits},
    parse::{Probe, is_picture},
    run,
    tools::Tools,
};
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use vidp_common::process::{self, Limits, ProcessError};
use vidp_contract::FailureCode;

/// Resource limits of ffprobe, which reads headers and a few frames. A file that needs more was made to.
const LIMITS: Limits = Limits {
    wall: Duration::from_secs(60),
    cpu: Duration::from_secs(20),
    memory: 2 << 30,
    file_size: 0,
    network: false,
};
/// Maximum bytes of ffprobe's output: enough for a thousand streams.
const MAX_ANSWER: usize = 4 << 20;

/// Probes a media file and refuses one that is not accepted.
///
/// # Errors
/// [`MediaError::Media`] with `unsupported_media`, `damaged_media`, `media_too_large` or `media_too_long`. A file
/// without video or without audio is accepted here.
pub async fn probe(
    tools: &Tools,
    input: Input<'_>,
    limits: &MediaLimits,
    cancel: &CancellationToken,
) -> Result<Probe, MediaError> {
    let wanted = [
        // The verbose lines state how much was read.
        "-v",
        "verbose",
        "-print_format",
        "json",
        "-show_format",
        "-show_streams",
    ];
    let args = wanted.into_iter().map(OsString::from).chain(input.args());
    let bytes_read = Arc::new(AtomicU64::new(0));
    let counter = bytes_read.clone();
    let count = move |line: &str| {
        counter.fetch_add(run::input_bytes(line).unwrap_or(0), Ordering::Relaxed);
    };
    let answer = process::capture(
        &tools.ffprobe,
        args,
        input.allow(LIMITS),
        MAX_ANSWER,
        cancel,
        count,
    )
    .await
    .map_err(MediaError::probing)?;
    let unsupported = |detail| Err(MediaError::media(FailureCode::UnsupportedMedia, detail));
    let Ok(answer) = serde_json::from_slice::<Value>(&answer) else {
        return unsupported("the file cannot be described");
    };
    let mut probe = Probe::parse(&answer);
    probe.bytes_read = bytes_read.load(Ordering::Relaxed);
    if is_picture(&answer) {
        return unsupported("the file is a picture, not a video");
    }
    if probe.streams == 0 {
        return unsupported("the file has neither video nor audio");
    }
    limits.check(&probe)?;
    let unreadable = probe
        .video
        .as_ref()
        .is_some_and(|v| v.width == 0 || v.height == 0);
    if unreadable || (probe.video.is_none() && probe.audio.is_empty()) {
        return Err(MediaError::media(
            FailureCode::DamagedMedia,
            "the file is damaged: its streams cannot be read",
        ));
    }
    if probe.facts.duration <= 0.0 {
        let duration = measure(tools, input, limits, cancel).await?;
        probe.facts.duration = duration;
        probe.facts.bitrate = (probe.facts.size as f64 * 8.0 / duration.max(0.001)) as u64;
        limits.check(&probe)?;
    }
    Ok(probe)
}

/// Measures the seconds of media in a file whose duration is missing or estimated. Reads the file without decoding it.
pub async fn measure(
    tools: &Tools,
    input: Input<'_>,
    limits: &MediaLimits,
    cancel: &CancellationToken,
) -> Result<f64, MediaError> {
    let mut args = input.args();
    // One second beyond the limit is enough to detect that it is exceeded.
    let end = (limits.max_duration_seconds + 1.0).to_string();
    let copy = [
        "-map", "0:V?", "-map", "0:a?", "-c", "copy", "-t", &end, "-f", "null", "-",
    ];
    args.extend(copy.map(OsString::from));
    let last = Arc::new(Mutex::new(0.0));
    let seen = last.clone();
    let on_progress = move |progressed: run::Progressed| {
        *seen.lock() = progressed.time_seconds;
    };
    match run::run(tools, args, input.allow(process_limits(0.0)), cancel, on_progress).await {
        // After a fault the file counts up to that point.
        Ok(()) | Err(ProcessError::Failed { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let seconds = *last.lock();
    if seconds > 0.0 {
        Ok(seconds)
    } else {
        Err(MediaError::media(
            FailureCode::DamagedMedia,
            "the file is damaged: there is no media in it",
        ))
    }
}
