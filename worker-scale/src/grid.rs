//! Grid of a storyboard, and its WebVTT file. Pure.

use std::fmt::Write;

/// Tiles of a storyboard at most.
const MAX_TILES: u32 = 100;
/// Tiles in a row at most.
const MAX_COLUMNS: u32 = 10;
/// Share of an interval that the last tile covers at least. A shorter rest belongs to the tile before.
const MIN_SHARE: f64 = 0.1;
/// Seconds between tiles at least. Key frames have this distance.
const MIN_INTERVAL: f64 = 2.0;
/// Pixels of a tile's width. A picture that would be higher than [`MAX_HEIGHT`] gets a smaller width.
const MAX_WIDTH: u32 = 160;
/// Pixels of a tile's height at most.
const MAX_HEIGHT: u32 = 320;

/// Grid of a storyboard: `tiles` pictures, one every `interval` seconds, in rows of `columns`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    /// Number of tiles.
    pub(crate) tiles: u32,
    /// Tiles in a row.
    pub(crate) columns: u32,
    /// Number of rows.
    pub(crate) rows: u32,
    /// Seconds between tiles.
    pub(crate) interval: f64,
    /// Width of a tile in pixels.
    pub(crate) width: u32,
    /// Height of a tile in pixels.
    pub(crate) height: u32,
}

impl Grid {
    /// The grid for media of `duration` seconds whose picture has this width and height.
    pub(crate) fn new(duration: f64, picture: (u32, u32)) -> Grid {
        let interval = (duration / f64::from(MAX_TILES)).max(MIN_INTERVAL);
        let tiles = ((duration / interval - MIN_SHARE).ceil() as u32).clamp(1, MAX_TILES);
        let columns = tiles.min(MAX_COLUMNS);
        let aspect = f64::from(picture.0) / f64::from(picture.1);
        let even = |pixels: f64| ((pixels / 2.0).round() as u32 * 2).max(2);
        let height = even(f64::from(MAX_WIDTH) / aspect);
        let (width, height) = if height > MAX_HEIGHT {
            (even(f64::from(MAX_HEIGHT) * aspect), MAX_HEIGHT)
        } else {
            (MAX_WIDTH, height)
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

    /// The WebVTT file for players: one cue per tile, with the tile's position in `image` as a media fragment.
    pub(crate) fn vtt(&self, image: &str, duration: f64) -> String {
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

/// Formats a time as `HH:MM:SS.mmm`.
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
        check(4.04, (640, 360), (2, 2, 1, 2.0, (160, 90)));
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
