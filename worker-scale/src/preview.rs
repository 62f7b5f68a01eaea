//! A poster and a storyboard, cheaply: from key frames of finished renditions, which are upright and small.

use crate::{Settings, encode::Rendition};
use anyhow::anyhow;
use std::{
    ffi::OsString,
    fmt::Write,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;
use vidp_worker::{
    TaskError,
    ffmpeg::{self, Input, MediaError, process_limits},
};

/// Tiles of a storyboard at most.
const MAX_TILES: u32 = 100;
/// Tiles side by side at most.
const COLUMNS: u32 = 10;
/// Seconds between tiles at least: the distance of key frames.
const MIN_INTERVAL: f64 = 2.0;
/// Pixels of a tile's width; less for a picture that would become higher than [`MAX_HEIGHT`].
const WIDTH: u32 = 160;
/// Pixels of a tile's height at most.
const MAX_HEIGHT: u32 = 320;

/// JPEG has one colour matrix, BT.601 in full range, whatever the video has.
const JPEG: &str = "out_color_matrix=bt601:out_range=pc";

/// A storyboard's grid: `tiles` pictures, one every `interval` seconds, in rows of `columns`.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    tiles: u32,
    columns: u32,
    rows: u32,
    interval: f64,
    width: u32,
    height: u32,
}

impl Grid {
    /// The grid for media of this many seconds and a picture of this size.
    pub fn new(duration: f64, picture: (u32, u32)) -> Grid {
        let interval = (duration / f64::from(MAX_TILES)).max(MIN_INTERVAL);
        let tiles = ((duration / interval).ceil() as u32).clamp(1, MAX_TILES);
        let columns = tiles.min(COLUMNS);
        let aspect = f64::from(picture.0) / f64::from(picture.1);
        let even = |pixels: f64| ((pixels / 2.0).round() as u32 * 2).max(2);
        let height = even(f64::from(WIDTH) / aspect);
        let (width, height) = if height > MAX_HEIGHT {
            (even(f64::from(MAX_HEIGHT) * aspect), MAX_HEIGHT)
        } else {
            (WIDTH, height)
        };
        Grid {
            tiles,
            columns,
            rows: tiles.div_ceil(columns),
            interval,
            width,
            height,
        }
    }

    /// The WebVTT file that players read: a cue per tile, with its place in `image` as a media fragment.
    pub fn vtt(&self, image: &str, duration: f64) -> String {
        let mut vtt = "WEBVTT\n".to_owned();
        for tile in 0..self.tiles {
            let start = f64::from(tile) * self.interval;
            let end = if tile + 1 == self.tiles {
                duration
            } else {
                start + self.interval
            };
            let (x, y) = (
                tile % self.columns * self.width,
                tile / self.columns * self.height,
            );
            let (width, height) = (self.width, self.height);
            let _ = write!(
                vtt,
                "\n{} --> {}\n{image}#xywh={x},{y},{width},{height}\n",
                timestamp(start),
                timestamp(end.max(start + 0.001)),
            );
        }
        vtt
    }
}

/// Writes `poster.jpg`: of ten key frames from a tenth of the way in, the one most like the others, which skips
/// fades and black.
pub async fn poster(
    settings: &Settings,
    from: &Rendition,
    folder: &Path,
    cancel: &CancellationToken,
) -> Result<PathBuf, TaskError> {
    let start = (from.facts.duration / 10.0).to_string();
    // From the key frame before, so that a short clip has one at all. Its time is then before the beginning, where
    // ffmpeg drops what it writes.
    let seek = ["-noaccurate_seek", "-ss", &start];
    picture(
        settings,
        from,
        &seek,
        &format!("setpts=PTS-STARTPTS,thumbnail=10,scale={JPEG}"),
        "3",
        folder.join("poster.jpg"),
        cancel,
    )
    .await
}

/// Writes `storyboard.jpg` and `storyboard.vtt`.
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
    // The last frame is repeated for as long as there are tiles to fill.
    let filter = format!(
        "fps=1/{interval}:start_time=0:round=down:eof_action=pass,tpad=stop=-1:stop_mode=clone,\
         trim=end_frame={tiles},scale={width}:{height},tile={columns}x{rows},scale={JPEG}"
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

async fn picture(
    settings: &Settings,
    from: &Rendition,
    seek: &[&str],
    filter: &str,
    quality: &str,
    path: PathBuf,
    cancel: &CancellationToken,
) -> Result<PathBuf, TaskError> {
    // The demuxer skips what it can (MP4), the decoder the rest (most codecs); whoever cannot decodes everything.
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
    // It ends well without having written a frame.
    if !is_whole(&tokio::fs::read(&path).await?) {
        return Err(TaskError::Retry(anyhow!(
            "ffmpeg made no whole picture: {filter}"
        )));
    }
    Ok(path)
}

/// Whether a JPEG has its beginning and its end (ITU T.81, B.1.1.3: SOI and EOI).
fn is_whole(jpeg: &[u8]) -> bool {
    jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9])
}

/// `HH:MM:SS.mmm`.
fn timestamp(seconds: f64) -> String {
    let millis = (seconds * 1000.0).round() as u64;
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids() {
        let check = |duration, picture, expected: (u32, u32, u32, f64, (u32, u32))| {
            let g = Grid::new(duration, picture);
            assert_eq!(
                (g.tiles, g.columns, g.rows, g.interval, (g.width, g.height)),
                expected,
                "{duration} s"
            );
        };
        check(0.5, (640, 360), (1, 1, 1, 2.0, (160, 90)));
        check(9.0, (640, 360), (5, 5, 1, 2.0, (160, 90)));
        check(61.0, (640, 480), (31, 10, 4, 2.0, (160, 120)));
        check(7200.0, (360, 640), (100, 10, 10, 72.0, (160, 284)));
        check(10.0, (20, 4000), (5, 5, 1, 2.0, (2, 320)));
    }

    #[test]
    fn cues_point_into_the_image() {
        assert_eq!(
            Grid::new(3661.5, (640, 360))
                .vtt("s.jpg", 3661.5)
                .lines()
                .rev()
                .take(2)
                .collect::<Vec<_>>(),
            ["s.jpg#xywh=1440,810,160,90", "01:00:24.885 --> 01:01:01.500"]
        );
        assert_eq!(
            Grid::new(3.0, (640, 360)).vtt("s.jpg", 3.0),
            "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\ns.jpg#xywh=0,0,160,90\n\n\
             00:00:02.000 --> 00:00:03.000\ns.jpg#xywh=160,0,160,90\n"
        );
    }
}
