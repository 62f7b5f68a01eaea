use super::tools::Tools;
use ffmpeg_sidecar::log_parser::{parse_time_str, try_parse_progress};
use std::{
    ffi::OsString,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio_util::sync::CancellationToken;
use vidp_common::process::{self, Access, Limits, ProcessError};

/// The system's message for a full disk.
pub(super) const DISK_FULL: &str = "No space left on device";

/// Progress of a running ffmpeg.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progressed {
    /// Processed seconds of media.
    pub time_seconds: f64,
    /// Speed in seconds of media per second.
    pub speed: f64,
}

/// Messages of ffmpeg for a packet or frame that it skipped or repaired, in the wording of its releases.
const DECODE_ERRORS: [&str; 4] = [
    "Error while decoding stream",
    "Error submitting packet to decoder",
    "Error processing packet in decoder",
    "corrupt decoded frame",
];

/// Runs ffmpeg to its end and calls `on_progress` twice a second, from ffmpeg's statistics lines.
///
/// `args` are inputs, filters and outputs, the inputs from [`Input::args`](super::Input::args). `access` covers the files
/// of all of them. Existing output files are overwritten. `Ok` means exit code 0, which does not prove success. It has the
/// number of packets and frames that ffmpeg skipped or repaired. A full disk is an error here, although ffmpeg only prints
/// a message and ends with 0.
pub async fn run(
    tools: &Tools,
    args: Vec<OsString>,
    limits: Limits,
    access: &Access,
    cancel: &CancellationToken,
    mut on_progress: impl FnMut(Progressed) + Send + 'static,
) -> Result<u64, ProcessError> {
    let common = ["-nostdin", "-hide_banner", "-v", "repeat+warning", "-stats", "-y"];
    let args = common.into_iter().map(OsString::from).chain(args);
    let disk_full = Arc::new(AtomicBool::new(false));
    let seen = disk_full.clone();
    let decode_errors = Arc::new(AtomicU64::new(0));
    let counted = decode_errors.clone();
    let child = process::spawn(&tools.ffmpeg, args, limits, access, move |line| {
        if let Some(progressed) = parse(line) {
            on_progress(progressed);
        }
        if DECODE_ERRORS.iter().any(|message| line.contains(message)) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        if line.contains(DISK_FULL) {
            seen.store(true, Ordering::Relaxed);
        }
    })?;
    child.finish(cancel).await?;
    if disk_full.load(Ordering::Relaxed) {
        return Err(ProcessError::Failed {
            program: "ffmpeg".to_owned(),
            status: ExitStatus::default(),
            tail: DISK_FULL.to_owned(),
        });
    }
    Ok(decode_errors.load(Ordering::Relaxed))
}

/// Parses a statistics line; `None` for any other line.
pub(crate) fn parse(line: &str) -> Option<Progressed> {
    let progress = try_parse_progress(line)?;
    Some(Progressed {
        time_seconds: parse_time_str(&progress.time)?.max(0.0),
        speed: progress.speed.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_statistics_line() {
        let check = |line, expected: Option<(f64, f64)>| {
            let got = parse(line).map(|p| (p.time_seconds, (p.speed * 100.0).round() / 100.0));
            assert_eq!(got, expected, "{line}");
        };
        check(
            "frame= 1996 fps=1984 q=-1.0 Lsize=     372kB time=00:01:19.72 bitrate=  38.2kbits/s speed=79.2x    ",
            Some((79.72, 79.2)),
        );
        check(
            "frame=0 fps=0.0 q=0.0 q=0.0 size=N/A time=00:00:02.00 bitrate=N/A speed=N/A",
            Some((2.0, 0.0)),
        );
        check(
            "frame=    0 fps=0.0 q=0.0 size=       0kB time=N/A bitrate=N/A speed=N/A",
            None,
        );
        check("[h264 @ 0x5581] error while decoding MB 3 4, bytestream -5", None);
    }
}
