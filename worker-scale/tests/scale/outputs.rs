//! The renditions, poster and storyboard of ordinary sources, in every codec.

use crate::clip::{Clip, H264, PICTURE, SOUND, quiet, requesting};
use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};
use vidp_contract::{
    Codec,
    Rendition::{P144, P240, P360, P720},
    ScaleOptions,
};
use worker_scale::preview;

#[tokio::test]
async fn a_ladder_in_one_run() {
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=1280x720:r=25:d=5 {SOUND} {H264} -metadata title=secret"),
    )
    .await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let progress = seen.clone();
    let options = requesting(&[P144, P720, P360]);
    let made = clip
        .try_scale(
            &options,
            Arc::new(move |share, speed| progress.lock().unwrap().push((share, speed))),
        )
        .await
        .unwrap();
    let seen = seen.lock().unwrap().clone();
    assert!(
        seen.is_sorted_by(|a, b| a.0 <= b.0) && seen.last().unwrap().0 > 0.9,
        "{seen:?}"
    );
    assert!(seen.last().unwrap().1 > 0.0, "a speed");
    let names: Vec<&str> = made.iter().map(|rendition| &*rendition.file.name).collect();
    assert_eq!(names, ["720p.mp4", "360p.mp4", "144p.mp4"]);
    for rendition in &made {
        let facts = &rendition.facts;
        let video = facts.video.as_ref().unwrap();
        assert_eq!(
            (video.width, video.height),
            (rendition.rung.width, rendition.rung.height)
        );
        assert_eq!(
            (video.codec.as_str(), video.pixel_format.as_str(), video.fps),
            ("h264", "yuv420p", 25.0)
        );
        assert_eq!(
            (facts.audio[0].codec.as_str(), facts.audio[0].channels),
            ("aac", 2)
        );
        let bytes = fs::read(&rendition.path).unwrap();
        let at = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
        assert!(at(b"moov") < at(b"mdat"), "the index comes before the media");
        assert!(
            !bytes.windows(6).any(|window| window == b"secret"),
            "no metadata of the source"
        );
    }
    assert!(made[0].facts.size <= fs::metadata(&clip.path).unwrap().len());

    let largest = made.first().unwrap();
    let poster = preview::poster(&clip.settings, largest, clip.folder.path(), &clip.cancel)
        .await
        .unwrap();
    assert!(fs::read(poster).unwrap().starts_with(&[0xff, 0xd8]));
    let smallest = made.last().unwrap();
    let (image, vtt) = preview::storyboard(&clip.settings, smallest, clip.folder.path(), &clip.cancel)
        .await
        .unwrap();
    assert!(fs::read(image).unwrap().starts_with(&[0xff, 0xd8]));
    assert_eq!(
        fs::read_to_string(vtt)
            .unwrap()
            .matches("storyboard.jpg#xywh=")
            .count(),
        3
    );
    if let Some(keep) = std::env::var_os("KEEP") {
        for file in fs::read_dir(clip.folder.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), Path::new(&keep).join(file.file_name())).unwrap();
        }
    }
}

#[tokio::test]
async fn short_clips_have_pictures() {
    // In these clips the only key frame is before the time at which the poster's search begins.
    for seconds in ["0.04", "1", "4", "10"] {
        let clip = Clip::make(
            "s.mp4",
            &format!("-f lavfi -i testsrc2=s=320x180:r=25:d={seconds} {H264}"),
        )
        .await;
        let made = clip.try_scale(&requesting(&[P144]), quiet()).await.unwrap();
        let (from, folder) = (&made[0], clip.folder.path());
        let poster = preview::poster(&clip.settings, from, folder, &clip.cancel).await;
        let storyboard = preview::storyboard(&clip.settings, from, folder, &clip.cancel).await;
        for image in [poster.unwrap(), storyboard.unwrap().0] {
            let bytes = fs::read(&image).unwrap();
            let is_whole = bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]);
            assert!(is_whole, "{} of {seconds} s", image.display());
        }
    }
}

#[tokio::test]
async fn every_codec() {
    let clip = Clip::make("s.mp4", &format!("{PICTURE} {SOUND} {H264}")).await;
    for (codec, name, sound) in [
        (Codec::H265, "hevc", "aac"),
        (Codec::Av1, "av1", "opus"),
        (Codec::Vp9, "vp9", "opus"),
    ] {
        let options = ScaleOptions {
            codec,
            crf: 40,
            ..requesting(&[P240, P144])
        };
        let all = clip.scale(&options).await;
        assert_eq!(all.len(), 2);
        for made in all {
            assert_eq!(made.probe.facts.video.as_ref().unwrap().codec, name);
            assert_eq!(made.probe.facts.audio[0].codec, sound);
            assert_eq!(made.path.extension().unwrap() == "webm", codec == Codec::Vp9);
            made.lasts(3.0);
        }
    }
}
