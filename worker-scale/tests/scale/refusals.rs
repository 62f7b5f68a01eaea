//! Refusals of ffmpeg that are not the fault of the file, and streams that nothing needs.

use crate::clip::{Clip, H264, PICTURE, SOUND, quiet, requesting};
use std::{collections::BTreeMap, fs, sync::Arc};
use vidp_contract::{Codec, DropReason, FailureCode, Rendition::P144, ScaleOptions, StreamKind};
use vidp_worker::{TaskError, ffmpeg::MediaError};

/// Encodes the source and returns the reason for which each audio track was dropped.
async fn dropped(clip: &Clip) -> Vec<Option<DropReason>> {
    let (probe, encoded) = clip.try_encode(&requesting(&[P144]), quiet()).await.unwrap();
    let listed = worker_scale::report(&probe, &encoded, Codec::H264, BTreeMap::new(), &[]);
    let audio = listed.iter().filter(|stream| stream.kind == StreamKind::Audio);
    audio.map(|stream| stream.reason).collect()
}

#[tokio::test]
async fn a_track_in_a_codec_that_is_not_accepted_is_dropped() {
    let clip = Clip::make("a.mp4", &format!("{PICTURE} {SOUND} {H264}")).await;
    let clip = clip
        .remade(
            "s.mkv",
            "-map 0:v -map 0:a -map 0:a -map 0:a -c:v copy -c:a:0 tta -c:a:1 aac -c:a:2 tta",
        )
        .await;
    let reason = Some(DropReason::NotAccepted);
    assert_eq!(dropped(&clip).await, [reason, None, reason]);
    assert_eq!(clip.one(P144).await.probe.audio.len(), 1);

    // Nothing else is left.
    let only = Clip::make("s.mka", "-f lavfi -i sine=d=1 -c:a tta").await;
    let Err(MediaError::Media { code, detail }) = only.try_probe().await else {
        panic!("accepted");
    };
    assert_eq!(code, FailureCode::UnsupportedMedia);
    assert!(detail.contains("tta"), "{detail}");
}

#[tokio::test]
async fn a_picture_in_a_codec_that_is_not_accepted_leaves_the_sound() {
    let unknown = Clip::make("s.mp4", &format!("{PICTURE} {SOUND} {H264}"))
        .await
        .patched(|bytes| {
            let at = bytes.windows(4).rposition(|window| window == b"avc1").unwrap();
            bytes[at..at + 4].copy_from_slice(b"vvc1");
        });
    let refused = Clip::make("s.mkv", &format!("{PICTURE} {SOUND} -c:v asv2")).await;
    for (clip, codec) in [(unknown, "vvc1"), (refused, "asv2")] {
        let probe = clip.probe().await;
        assert_eq!(probe.audio.len(), 1, "the sound can be used");
        assert_eq!(probe.facts.video.as_ref().unwrap().codec, codec);
        let (code, detail) = clip.fault(&requesting(&[P144])).await;
        assert_eq!(code, FailureCode::UnsupportedMedia);
        assert!(detail.contains(codec), "{detail}");
    }
}

#[tokio::test]
async fn an_audio_track_without_content_is_dropped() {
    let clip = Clip::make("a.mp4", &format!("{PICTURE} {SOUND} {H264}")).await;
    let clip = clip.remade("s.mkv", "-map 0 -c copy -bsf:a noise=drop=1").await;
    assert!(clip.probe().await.audio.is_empty());
    assert_eq!(dropped(&clip).await, [Some(DropReason::Empty)]);
    for codec in [Codec::H264, Codec::Vp9] {
        let options = ScaleOptions {
            codec,
            ..requesting(&[P144])
        };
        assert!(clip.scale(&options).await[0].probe.audio.is_empty());
    }
}

#[tokio::test]
async fn an_audio_track_that_cannot_be_decoded_is_dropped() {
    let clip = Clip::make("a.mp4", &format!("{PICTURE} {SOUND} {H264}")).await;
    let folder = clip.folder.path().to_owned();
    clip.ffmpeg(
        &format!(
            "-i {} -map 0:a -c copy -bsf:a noise=amount=1",
            clip.path.display()
        ),
        &folder.join("noise.mka"),
    )
    .await;
    let args = format!("-i {}/noise.mka -map 0 -map 1 -c copy", folder.display());
    let clip = clip.remade("s.mkv", &args).await;
    assert_eq!(dropped(&clip).await, [None, Some(DropReason::Undecodable)]);
}

#[tokio::test]
async fn a_picture_without_a_key_frame_leaves_the_sound() {
    let clip = Clip::make(
        "s.ts",
        &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=12 -f lavfi -i sine=d=12 {H264} -g 999 -sc_threshold 0 -c:a aac"),
    )
    .await;
    let clip = clip.patched(|bytes| {
        let packets = bytes.len() / 188;
        bytes.drain(..packets * 3 / 10 * 188);
    });
    assert_eq!(clip.probe().await.audio.len(), 1);
    let (code, detail) = clip.fault(&requesting(&[P144])).await;
    assert_eq!(code, FailureCode::DamagedMedia, "{detail}");
}

#[tokio::test]
async fn sizes_below_the_limits_of_an_encoder_are_padded() {
    for (size, codec, expected) in [
        ("8:8", Codec::H265, (16, 16)),
        ("40:30", Codec::Av1, (64, 64)),
        ("300:20", Codec::Av1, (300, 64)),
        ("2:2", Codec::Vp9, (2, 2)),
        ("4:2", Codec::H264, (4, 2)),
    ] {
        let clip = Clip::make(
            "s.mkv",
            &format!("-f lavfi -i testsrc2=s=640x360:r=25:d=1 -vf scale={size},setsar=1 -c:v ffv1"),
        )
        .await;
        let options = ScaleOptions {
            codec,
            ..requesting(&[P144])
        };
        let made = clip.scale(&options).await;
        assert_eq!(made[0].size(), expected, "{size} {codec}");
    }
}

#[tokio::test]
async fn damaged_packets_are_skipped_and_counted() {
    let clip = Clip::make(
        "s.ts",
        &format!("-f lavfi -i testsrc2=s=640x360:r=25:d=6 -f lavfi -i sine=d=6 {H264} -g 25 -c:a aac"),
    )
    .await;
    let (_, whole) = clip.try_encode(&requesting(&[P144]), quiet()).await.unwrap();
    assert_eq!(whole.decode_errors, 0);
    // One packet of the broadcast is lost.
    let clip = clip.patched(|bytes| {
        let at = bytes.len() / 188 / 2 * 188;
        bytes.drain(at..at + 188);
    });
    let (_, damaged) = clip.try_encode(&requesting(&[P144]), quiet()).await.unwrap();
    assert!(
        damaged.decode_errors > 0 && damaged.decode_errors < 60,
        "{}",
        damaged.decode_errors
    );
}

#[tokio::test]
async fn an_output_that_disappears_is_a_fault_of_the_machine() {
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=1280x720:r=25:d=20 {H264}"),
    )
    .await;
    for codec in [Codec::H264, Codec::Vp9] {
        let options = ScaleOptions {
            codec,
            ..requesting(&[P144])
        };
        let folder = clip.folder.path().to_owned();
        let remove = move |_, _| {
            for name in ["144p.mp4", "144p.webm"] {
                let _ = fs::remove_file(folder.join(name));
            }
        };
        let failed = clip
            .try_scale(&options, Arc::new(remove))
            .await
            .err()
            .expect("the output is missing");
        let failed = TaskError::from(failed);
        assert!(matches!(failed, TaskError::Retry(_)), "{codec}: {failed:?}");
    }
}
