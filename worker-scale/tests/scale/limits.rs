//! Limits on the size of renditions.

use crate::clip::{Clip, H264, requesting};
use std::fs;
use vidp_contract::{Codec, FailureCode, Rendition::P360, ScaleOptions};

#[tokio::test]
async fn a_bound_on_the_size_is_kept() {
    let noisy = format!(
        "-f lavfi -i testsrc2=s=320x180:r=12:d=4 -f lavfi -i sine=d=4 -vf noise=alls=30:allf=t {H264} -crf 18 -c:a aac"
    );
    let clip = Clip::make("s.mp4", &noisy).await;
    for codec in [Codec::H264, Codec::H265, Codec::Av1, Codec::Vp9] {
        let options = ScaleOptions {
            codec,
            max_size_mb: Some(0.08),
            ..requesting(&[P360])
        };
        for made in clip.scale(&options).await {
            assert!(
                made.size <= 80_000,
                "{codec:?} {} has {} bytes",
                made.name,
                made.size
            );
            made.lasts(4.0);
        }
    }
    let options = ScaleOptions {
        max_size_mb: Some(0.01),
        ..requesting(&[P360])
    };
    let (code, detail) = clip.fault(&options).await;
    assert_eq!(code, FailureCode::MediaTooLong);
    assert!(detail.contains("0.01 MB"), "{detail}");
}

#[tokio::test]
async fn never_larger_than_the_source() {
    for (name, source) in [
        ("s.mp4", "-c:v libx264 -preset slow -crf 36"),
        (
            "s.mkv",
            "-c:v libx265 -preset medium -crf 40 -x265-params log-level=error",
        ),
    ] {
        let clip = Clip::make(
            name,
            &format!("-f lavfi -i mandelbrot=s=480x360:r=25 -t 2 -pix_fmt yuv420p {source}"),
        )
        .await;
        let source = fs::metadata(&clip.path).unwrap().len();
        let made = clip.one(P360).await;
        assert!(made.size <= source, "{name}: {} > {source}", made.size);
        made.lasts(2.0);
    }
}
