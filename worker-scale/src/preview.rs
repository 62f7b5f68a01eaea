//! Poster and storyboard of a video.
//!
//! Both come from the key frames of finished renditions. This is cheap, because renditions are upright and small.

use crate::{config::Settings, grid::Grid, job::Rendition};
use anyhow::anyhow;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;
use vidp_worker::{
    TaskError,
    ffmpeg::{self, Input, MediaError, process_limits},
};

/// Conversion to the only colour matrix of JPEG, BT.601 in full range, from any matrix of the video.
const JPEG_COLOURS: &str = "out_color_matrix=bt601:out_range=pc";

/// Writes `poster.jpg` and returns its path.
///
/// The poster is the most typical of ten key frames, beginning at a tenth of the duration. This avoids fades and black
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
    let start = (from.facts.duration / 10.0).to_string();
    // `-noaccurate_seek` begins at the key frame before `start`, because a short clip may have no later one. That
    // frame gets a negative time, at which ffmpeg drops output, so the filter resets the times.
    let seek = ["-noaccurate_seek", "-ss", &start];
    picture(
        settings,
        from,
        &seek,
        &format!("setpts=PTS-STARTPTS,thumbnail=10,scale={JPEG_COLOURS}"),
        "3",
        folder.join("poster.jpg"),
        cancel,
    )
    .await
}

/// Writes `storyboard.jpg` and `storyboard.vtt` and returns their paths.
///
/// # Errors
/// Those of [`poster`].
pub async fn storyboard(
    settings: &Settings,
    from: &Rendition,
    folder: &Path,
    cancel: &CancellationToken,
) -> Result<(PathBuf, PathBuf), TaskError> {
    let grid = Grid::new(from.facts.duration, (from.rung.width, from.rung.height));
    let Grid {
        tiles,
        columns,
        rows,
        interval,
        width,
        height,
    } = grid;
    // `tpad` repeats the last frame until every tile is filled.
    let filter = format!(
        "fps=1/{interval}:start_time=0:round=down:eof_action=pass,tpad=stop=-1:stop_mode=clone,\
         trim=end_frame={tiles},scale={width}:{height},tile={columns}x{rows},scale={JPEG_COLOURS}"
    );
    let image = picture(
        settings,
        from,
        &[],
        &filter,
        "5",
        folder.join("storyboard.jpg"),
        cancel,
    )
    .await?;
    let vtt = folder.join("storyboard.vtt");
    tokio::fs::write(&vtt, grid.vtt("storyboard.jpg", from.facts.duration)).await?;
    Ok((image, vtt))
}

/// Runs ffmpeg on the key frames of `from` and writes one JPEG to `path`.
async fn picture(
    settings: &Settings,
    from: &Rendition,
    seek: &[&str],
    filter: &str,
    quality: &str,
    path: PathBuf,
    cancel: &CancellationToken,
) -> Result<PathBuf, TaskError> {
    // Some demuxers (MP4) skip other frames, and most decoders skip the rest. The others decode every frame.
    let mut args: Vec<OsString> = ["-discard:v", "nokey", "-skip_frame:v", "nokey"]
        .map(OsString::from)
        .into();
    args.extend(seek.iter().map(OsString::from));
    args.extend(Input::File(&from.path).args());
    args.extend(
        [
            "-map",
            "0:v",
            "-vf",
            filter,
            "-frames:v",
            "1",
            "-q:v",
            quality,
            "-f",
            "mjpeg",
        ]
        .map(OsString::from),
    );
    args.push(path.clone().into());
    let limits = process_limits(from.facts.duration);
    ffmpeg::run(&settings.tools, args, limits, cancel, |_| {})
        .await
        .map_err(MediaError::from)?;
    // ffmpeg exits with 0 even when it has written no frame.
    if !is_complete(&tokio::fs::read(&path).await?) {
        return Err(TaskError::Retry(anyhow!(
            "ffmpeg wrote no complete picture: {filter}"
        )));
    }
    Ok(path)
}

/// True when a JPEG has its start and end markers (SOI and EOI in ITU T.81, B.1.1.3).
fn is_complete(jpeg: &[u8]) -> bool {
    jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9])
}
