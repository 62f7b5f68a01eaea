//! Selects the renditions of a picture. Pure.

use crate::codec;
use serde::{Deserialize, Serialize};
use vidp_contract::{Codec, OutputFile, Rendition};

/// One rendition of the ladder. Both sides are even.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Short side in pixels, which names the rendition.
    pub short_side: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// True when the picture has the size of the source.
    pub full_size: bool,
}

impl Rung {
    fn new(short_side: u32, (width, height): (u32, u32), source: (u32, u32), codec: Codec) -> Rung {
        let full_size = (width, height) == (even(source.0), even(source.1));
        let (width, height) = codec::fit(codec, width, height);
        Rung {
            short_side,
            width,
            height,
            full_size,
        }
    }

    /// The output, for example `720p.mp4`.
    pub(crate) fn file(&self, codec: Codec) -> OutputFile {
        OutputFile::rendition(self.short_side, codec)
    }
}

/// The requested rungs that are not larger than the source, largest first.
///
/// `width` and `height` are the size of the displayed source: upright, with square pixels. Rungs are measured by the
/// short side, so portrait and landscape videos get the same ladder. The picture is never enlarged. When every
/// requested rung is larger than the source, the ladder has one rung of the source's size, labelled by that size (for
/// example `180p`), because a file named `360p` should have 360 lines. A size that the encoder of `codec` does not accept
/// becomes the nearest one, in which the picture stands between bars.
pub(crate) fn ladder(width: u32, height: u32, requested: &[Rendition], codec: Codec) -> Vec<Rung> {
    let source = (width, height);
    let short_side = width.min(height);
    let mut sides: Vec<u32> = requested
        .iter()
        .map(|rendition| rendition.short_side())
        .filter(|side| *side <= short_side)
        .collect();
    sides.sort_unstable_by(|a, b| b.cmp(a));
    sides.dedup();
    if sides.is_empty() {
        let (width, height) = (even(width), even(height));
        return vec![Rung::new(width.min(height), (width, height), source, codec)];
    }
    sides
        .into_iter()
        .map(|side| {
            let scaled =
                |other: u32| nearest_even(f64::from(other) * f64::from(side) / f64::from(short_side));
            let size = if width < height {
                (side, scaled(height))
            } else {
                (scaled(width), side)
            };
            Rung::new(side, size, source, codec)
        })
        .collect()
}

/// Rounds down to an even number, at least 2, because 4:2:0 video has no odd sizes.
fn even(pixels: u32) -> u32 {
    (pixels & !1).max(2)
}

fn nearest_even(pixels: f64) -> u32 {
    ((pixels / 2.0).round() as u32 * 2).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Rendition::{P144, P240, P360, P480, P720, P1080};

    #[test]
    fn rungs() {
        let check = |width, height, asked: &[Rendition], expected: &str| {
            let got: Vec<String> = ladder(width, height, asked, Codec::H264)
                .into_iter()
                .map(|r| {
                    format!(
                        "{}p {}x{}{}",
                        r.short_side,
                        r.width,
                        r.height,
                        if r.full_size { "!" } else { "" }
                    )
                })
                .collect();
            assert_eq!(got.join(", "), expected, "{width}x{height} {asked:?}");
        };
        check(
            1920,
            1080,
            &[P360, P720, P480, P720],
            "720p 1280x720, 480p 854x480, 360p 640x360",
        );
        check(1280, 720, &[P1080, P720, P360], "720p 1280x720!, 360p 640x360");
        check(1080, 1920, &[P720], "720p 720x1280");
        check(321, 241, &[P240, P144], "240p 320x240!, 144p 192x144");
        check(320, 180, &[P720, P480, P360], "180p 320x180!");
        check(101, 75, &[P144], "74p 100x74!");
        check(1920, 800, &[P1080, P720], "720p 1728x720");
        check(768, 576, &[P480], "480p 640x480");
        check(4000, 3, &[P144], "2p 4000x2!");
        check(1, 1, &[], "2p 2x2!");
        check(16, 9, &[P144], "8p 16x8!");
    }

    #[test]
    fn small_pictures_are_padded_for_the_encoder() {
        let rung = &ladder(40, 30, &[P144], Codec::Av1)[0];
        assert_eq!((rung.short_side, rung.width, rung.height), (30, 64, 64));
    }

    #[test]
    fn names() {
        let rung = &ladder(640, 360, &[P360], Codec::H264)[0];
        assert_eq!(rung.file(Codec::H264).name, "360p.mp4");
        assert_eq!(rung.file(Codec::Vp9).name, "360p.webm");
    }
}
