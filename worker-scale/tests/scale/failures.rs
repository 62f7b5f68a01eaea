//! Damaged sources and cancelled encodes.

use crate::clip::{Clip, H264, quiet, requesting};
use std::{
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use vidp_common::process::ProcessError;
use vidp_contract::{
    FailureCode,
    Rendition::{P144, P480, P720},
};
use vidp_worker::ffmpeg::{self, Input, MediaError};
use worker_scale::Settings;

#[tokio::test]
async fn half_a_file_is_no_success() {
    let args = format!(
        "-f lavfi -i testsrc2=s=640x360:r=25:d=10 -f lavfi -i sine=d=10 {H264} -c:a aac -movflags +faststart"
    );
    let clip = Clip::make("s.mp4", &args).await;
    let whole = fs::read(&clip.path).unwrap();
    fs::write(&clip.path, &whole[..whole.len() / 2]).unwrap();
    let (code, detail) = clip.fault(&requesting(&[P144])).await;
    assert_eq!(code, FailureCode::DamagedMedia, "{detail}");

    fs::write(&clip.path, &whole).unwrap();
    for name in ["s.mkv", "s.avi"] {
        let path = clip.folder.path().join(name);
        clip.ffmpeg(&format!("-i {} -c copy", clip.path.display()), &path)
            .await;
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let settings = clip.settings.clone();
        let half = Clip {
            path,
            settings,
            space: u64::MAX,
            folder: tempfile::tempdir().unwrap(),
            cancel: CancellationToken::new(),
        };
        assert_eq!(
            half.fault(&requesting(&[P144])).await.0,
            FailureCode::DamagedMedia,
            "{name}"
        );
    }
}

#[tokio::test]
async fn flipped_bytes_end_in_full_length_or_damage() {
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=640x360:r=25:d=10 -f lavfi -i sine=d=10 {H264} -c:a aac"),
    )
    .await;
    let whole = fs::read(&clip.path).unwrap();
    for seed in 1..=4_u64 {
        let mut bytes = whole.clone();
        let mut state = seed;
        for _ in 0..200 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] ^= 0xff;
        }
        fs::write(&clip.path, &bytes).unwrap();
        let input = Input::File(&clip.path);
        let probed = ffmpeg::probe(&clip.settings.tools, input, &clip.settings.limits, &clip.cancel).await;
        if probed.is_err() {
            continue;
        }
        match clip.try_scale(&requesting(&[P144]), quiet()).await {
            Ok(made) => assert!((made[0].facts.duration - 10.0).abs() < 0.5, "seed {seed}"),
            Err(MediaError::Media { code, .. }) => assert_eq!(code, FailureCode::DamagedMedia, "seed {seed}"),
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_cancelled_encode_ends_at_once() {
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=1280x720:r=25:d=20 {H264}"),
    )
    .await;
    let settings = Settings {
        x264_preset: "veryslow".to_owned(),
        ..clip.settings.clone()
    };
    let clip = Clip { settings, ..clip };
    let cancel = clip.cancel.clone();
    let cancelled = Arc::new(Mutex::new(None));
    let when = cancelled.clone();
    // Cancels at the first progress report.
    let on_progress = Arc::new(move |_: f64, _: f64| {
        when.lock().unwrap().get_or_insert_with(Instant::now);
        cancel.cancel();
    });
    let result = clip.try_scale(&requesting(&[P720, P480]), on_progress).await;
    assert!(matches!(
        result,
        Err(MediaError::Process(ProcessError::Cancelled))
    ));
    let took = cancelled.lock().unwrap().unwrap().elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}
