//! Limits on the size of renditions.

use crate::clip::{Clip, H264, quiet, requesting};
use std::fs;
use vidp_contract::{
    Codec, FailureCode,
    Rendition::{P240, P360},
    ScaleOptions,
};
use vidp_worker::TaskError;

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

/// Two seconds of noise, which a lossless encoder cannot make smaller.
const NOISE: &str = "-f lavfi -i nullsrc=s=640x360:r=25:d=2,geq=random(1)*255:128:128 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -crf 45";

#[tokio::test]
async fn no_rendition_is_larger_than_its_source() {
    let clip = Clip::make("s.mp4", NOISE).await;
    let source = fs::metadata(&clip.path).unwrap().len();
    let options = ScaleOptions {
        crf: 0,
        ..requesting(&[P360, P240])
    };
    for made in clip.scale(&options).await {
        assert!(made.size <= source, "{}: {} > {source}", made.name, made.size);
        made.lasts(2.0);
    }
}

#[tokio::test]
async fn renditions_that_do_not_fit_on_the_disk_end_at_the_first_attempt() {
    let mut clip = Clip::make("s.mp4", NOISE).await;
    // Each of two rungs may have 500 kB. Without a limit each has more than 1.5 MB in the first round.
    clip.space = 1_000_000;
    let options = ScaleOptions {
        crf: 0,
        ..requesting(&[P360, P240])
    };
    let made = clip.try_scale(&options, quiet()).await;
    let error = TaskError::from(made.err().expect("the renditions do not fit"));
    // The worker ends the task after this error, whatever the number of the attempt.
    let TaskError::Fail { code, .. } = error else {
        panic!("the task would run again: {error}");
    };
    assert_eq!(code, FailureCode::MediaTooLarge);
    let largest = fs::read_dir(clip.folder.path()).unwrap();
    let largest = largest.map(|file| file.unwrap().metadata().unwrap().len()).max();
    assert!(largest.unwrap() <= 500_000, "{largest:?}");
}
