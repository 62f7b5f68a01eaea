//! Poster and storyboard of a video.
//!
//! Both come from finished renditions, which are upright and small, and where possible from their key frames alone.

use crate::{config::Settings, grid::Grid, job::Rendition};
use anyhow::anyhow;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;
use vidp_common::process::{Access, Limits};
use vidp_worker::{
    TaskError,
    ffmpeg::{self, Input, MediaError, process_limits},
};

/// Conversion to the only colour matrix of JPEG, BT.601 in full range, from any matrix of the video.
const JPEG_COLOURS: &str = "out_color_matrix=bt601:out_range=pc";

/// Maximum size of a picture in bytes, because it is read into memory.
const MAX_PICTURE: u64 = 32 << 20;

/// Frames among which the poster is chosen.
const CANDIDATES: u32 = 10;
/// Seconds of picture that have [`CANDIDATES`] key frames behind their first tenth. A shorter film may have no key frame but its
/// first, which is often black.
const MIN_SECONDS_BY_KEYS: f64 = 22.0;

/// Writes `poster.jpg` and returns its path.
///
/// The poster is the most typical of ten frames, beginning at a tenth of the duration. This avoids fades and black
/// frames.
///
/// # Errors
/// A failure or cancellation of ffmpeg. An image that is missing or incomplete is retried.
pub async fn poster(
    settings: &Settings,
    from: &Rendition,
    folder: &Path,
    cancel: &CancellationToken,
) -> Result<PathBuf, TaskError> {
    let start = from.picture_end / 10.0;
    let keys_only = from.regular_keys && from.picture_end >= MIN_SECONDS_BY_KEYS;
    let (seek, choice) = if keys_only {
        // `-noaccurate_seek` begins at the key frame before `start`. That frame gets a negative time, at which ffmpeg drops
        // output, so the filter resets the times.
        let seek = ["-noaccurate_seek".to_owned(), "-ss".to_owned(), start.to_string()];
        (seek.to_vec(), "setpts=PTS-STARTPTS".to_owned())
    } else {
        let interval = (start / 2.0).clamp(0.1, 2.0);
        let first = (start / interval) as u32;
        let last = first + CANDIDATES;
        (
            Vec::new(),
            // A picture that begins late begins with repetitions otherwise.
            format!(
                "setpts=PTS-STARTPTS,{},trim=start_frame={first}:end_frame={last}",
                at_intervals(interval)
            ),
        )
    };
    let image = Image {
        seek,
        filter: format!("{choice},thumbnail={CANDIDATES},scale={JPEG_COLOURS}"),
        quality: "3",
        keys_only,
    };
    picture(settings, from, &image, folder.join("poster.jpg"), cancel).await
}

/// Writes `storyboard.jpg` and `storyboard.vtt` and returns their paths. They cover the picture, not longer sound.
///
/// # Errors
/// Those of [`poster`].
pub async fn storyboard(
    settings: &Settings,
    from: &Rendition,
    folder: &Path,
    cancel: &CancellationToken,
) -> Result<(PathBuf, PathBuf), TaskError> {
    let grid = Grid::new(from.picture_end, (from.rung.width, from.rung.height));
    let Grid {
        tiles,
        columns,
        rows,
        interval,
        width,
        height,
    } = grid;
    let image = Image {
        seek: Vec::new(),
        filter: format!(
            "{},trim=end_frame={tiles},scale={width}:{height},tile={columns}x{rows},scale={JPEG_COLOURS}",
            at_intervals(interval)
        ),
        quality: "5",
        keys_only: from.regular_keys,
    };
    let path = folder.join("storyboard.jpg");
    let image = picture(settings, from, &image, path, cancel).await?;
    let vtt = folder.join("storyboard.vtt");
    tokio::fs::write(&vtt, grid.vtt("storyboard.jpg", from.picture_end)).await?;
    Ok((image, vtt))
}

/// Filters that pass one frame for each interval, and then repeat the last frame without end.
fn at_intervals(seconds: f64) -> String {
    format!("fps=1/{seconds}:start_time=0:round=down:eof_action=pass,tpad=stop=-1:stop_mode=clone")
}

/// How an image is made from a rendition.
struct Image {
    /// Arguments before the input.
    seek: Vec<String>,
    /// Filters that choose and arrange the frames.
    filter: String,
    /// Quality of the JPEG on ffmpeg's scale, from 2 (best) to 31.
    quality: &'static str,
    /// True to decode only key frames.
    keys_only: bool,
}

/// Runs ffmpeg on `from` and writes one JPEG to `path`.
async fn picture(
    settings: &Settings,
    from: &Rendition,
    image: &Image,
    path: PathBuf,
    cancel: &CancellationToken,
) -> Result<PathBuf, TaskError> {
    // The decoder skips other frames. When the demuxer skips them too (`-discard`), ffmpeg guesses the times of H.265.
    let mut args: Vec<OsString> = Vec::new();
    if image.keys_only {
        args.extend(["-skip_frame:v", "nokey"].map(OsString::from));
    }
    args.extend(image.seek.iter().map(OsString::from));
    args.extend(Input::File(&from.path).args());
    args.extend(
        [
            "-map",
            "0:v",
            "-vf",
            &image.filter,
            "-frames:v",
            "1",
            "-q:v",
            image.quality,
            "-f",
            "mjpeg",
        ]
        .map(OsString::from),
    );
    args.push(path.clone().into());
    // The file exists before, so that ffmpeg needs no right to the rest of the folder.
    tokio::fs::File::create(&path).await?;
    let limits = Limits {
        file_size: MAX_PICTURE,
        ..process_limits(from.facts.duration)
    };
    let access = Access::reading(&from.path).and_writing(&path);
    ffmpeg::run(&settings.tools, args, limits, &access, cancel, |_| {})
        .await
        .map_err(MediaError::from)?;
    // ffmpeg exits with 0 even when it has written no frame.
    if !is_complete(&tokio::fs::read(&path).await?) {
        return Err(TaskError::Retry(anyhow!(
            "ffmpeg wrote no complete picture: {}",
            image.filter
        )));
    }
    Ok(path)
}

/// True when a JPEG has its start and end markers (SOI and EOI in ITU T.81, B.1.1.3).
fn is_complete(jpeg: &[u8]) -> bool {
    jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9])
}
