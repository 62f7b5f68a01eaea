//! Posters and storyboards of renditions with few key frames, and of sound that is longer than the picture.

use crate::clip::{Clip, H264, quiet, requesting};
use vidp_contract::{Codec, Rendition::P144, Rendition::P360, ScaleOptions};
use worker_scale::{Rendition, preview};

fn mean(picture: &[u8]) -> f64 {
    picture.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / picture.len() as f64
}

/// A picture that becomes brighter by 4 steps a second; a copy of it cannot be made smaller.
async fn brightening(seconds: u32, codec: &str) -> Clip {
    Clip::make(
        "s.mp4",
        &format!(
            "-f lavfi -i color=black:s=320x180:r=5:d={seconds},geq=lum='16+floor(T)*4':cb=128:cr=128 -pix_fmt yuv420p {codec}"
        ),
    )
    .await
}

/// Asserts that each tile of the storyboard shows its own second, and returns the brightness of the poster.
async fn check(clip: &Clip, from: &Rendition, seconds: u32) -> f64 {
    let folder = clip.folder.path();
    let (image, vtt) = preview::storyboard(&clip.settings, from, folder, &clip.cancel)
        .await
        .unwrap();
    let vtt = std::fs::read_to_string(vtt).unwrap();
    let tiles = vtt.matches("#xywh=").count();
    assert_eq!(tiles, seconds as usize / 2, "{vtt}");
    let picture = clip.picture(&image, 0.0).await;
    let columns = tiles.min(10);
    let width = columns * 160;
    for tile in 0..tiles {
        let (x, y) = (tile % columns * 160 + 80, tile / columns * 90 + 45);
        // The brightness of the second, from limited to full range.
        let shown = f64::from(picture[y * width + x]);
        let second = shown * 219.0 / 255.0 / 4.0;
        let start = tile as f64 * 2.0;
        assert!(
            (start - 0.6..start + 2.0).contains(&second),
            "tile {tile} shows {second:.1} s"
        );
    }
    let poster = preview::poster(&clip.settings, from, folder, &clip.cancel)
        .await
        .unwrap();
    mean(&clip.picture(&poster, 0.0).await)
}

#[tokio::test]
async fn tiles_of_a_copied_rendition_show_their_time() {
    let clip = brightening(40, "-c:v libx264 -preset veryslow -crf 40 -g 1000").await;
    let (_, encoded) = clip.try_encode(&requesting(&[P360]), quiet()).await.unwrap();
    let from = &encoded.renditions[0];
    assert!(encoded.is_copy && !from.regular_keys, "the source is copied");
    assert!(check(&clip, from, 40).await > 10.0);
}

#[tokio::test]
async fn the_poster_of_a_copy_is_not_the_black_beginning() {
    let clip = Clip::make(
        "s.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=12 -vf fade=in:0:40 -c:v libx264 -preset slow -crf 30 -g 250 -pix_fmt yuv420p",
    )
    .await;
    let made = clip.try_scale(&requesting(&[P360]), quiet()).await.unwrap();
    assert!(made[0].is_copy && !made[0].regular_keys, "the source is copied");
    let poster = preview::poster(&clip.settings, &made[0], clip.folder.path(), &clip.cancel).await;
    let brightness = mean(&clip.picture(&poster.unwrap(), 0.0).await);
    assert!(brightness > 30.0, "{brightness}");
}

#[tokio::test]
async fn the_poster_of_a_short_film_is_not_its_black_beginning() {
    let filter = "drawbox=t=fill:c=black:enable=eq(n\\,0)";
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=2 -vf {filter} {H264}"),
    )
    .await;
    let made = clip.try_scale(&requesting(&[P144]), quiet()).await.unwrap();
    assert!(made[0].regular_keys, "the source is encoded");
    let poster = preview::poster(&clip.settings, &made[0], clip.folder.path(), &clip.cancel).await;
    let brightness = mean(&clip.picture(&poster.unwrap(), 0.0).await);
    assert!(brightness > 30.0, "{brightness}");
}

#[tokio::test]
async fn tiles_of_every_codec_show_their_time() {
    let clip = brightening(20, &format!("{H264} -g 1000")).await;
    for codec in Codec::ALL {
        let options = ScaleOptions {
            codec,
            crf: 30,
            ..requesting(&[P144])
        };
        let made = clip.try_scale(&options, quiet()).await.unwrap();
        check(&clip, &made[0], 20).await;
    }
}

#[tokio::test]
async fn the_storyboard_ends_with_the_picture() {
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=4 -f lavfi -i sine=d=9 {H264} -c:a aac"),
    )
    .await;
    let made = clip.try_scale(&requesting(&[P144]), quiet()).await.unwrap();
    let storyboard = preview::storyboard(&clip.settings, &made[0], clip.folder.path(), &clip.cancel).await;
    let vtt = std::fs::read_to_string(storyboard.unwrap().1).unwrap();
    assert_eq!(vtt.matches("#xywh=").count(), 2, "{vtt}");
    assert!(vtt.contains("00:00:02.000 --> 00:00:04.000"), "{vtt}");
}
