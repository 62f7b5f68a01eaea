//! Pictures of the source that become a rendition without a change, and those that must not.

use crate::{
    clip::{Clip, quiet, requesting},
    turning::joined,
};
use std::{fs, path::Path};
use vidp_contract::{
    Codec,
    Rendition::{P144, P360},
    ScaleOptions,
};
use worker_scale::Encoded;

const FILM: &str = "-f lavfi -i testsrc=s=640x360:r=25:d=6 -f lavfi -i sine=beep_factor=4:d=6";
/// A recording as phones make it, with a fast encoder: VidP makes it smaller.
const PHONE: &str = "-c:v libx264 -preset ultrafast -crf 14 -pix_fmt yuv420p -g 50 -c:a aac -b:a 96k";

async fn film(name: &str, args: &str) -> Clip {
    Clip::make(name, &format!("{FILM} {args}")).await
}

async fn encoded(clip: &Clip, options: &ScaleOptions) -> Encoded {
    clip.try_encode(options, quiet()).await.unwrap().1
}

/// True when the largest rendition has the source's picture, and the only one that has it.
async fn is_copied(clip: &Clip, options: &ScaleOptions) -> bool {
    let made = encoded(clip, options).await.renditions;
    assert!(!made[1..].iter().any(|smaller| smaller.is_copy));
    made[0].is_copy
}

/// The hash of each packet of the picture, with its times.
async fn packets(clip: &Clip, path: &Path) -> Vec<String> {
    let list = clip.folder.path().join("packets.md5");
    let args = format!("-i {} -map 0:v -c copy -f framemd5", path.display());
    clip.ffmpeg(&args, &list).await;
    let text = fs::read_to_string(list).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| row.rsplit(", ").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_good_picture_is_copied_with_its_times() {
    for (name, args) in [
        ("film.mp4", format!("{PHONE} -bf 2 -b_strategy 0")),
        ("film.mov", format!("{PHONE} -bf 0 -ar 44100")),
        ("film.mkv", format!("{PHONE} -bf 2 -c:a pcm_s16le")),
    ] {
        let clip = film(name, &args).await;
        for renditions in [&[P360, P144][..], &[P360]] {
            let made = encoded(&clip, &requesting(renditions)).await;
            let largest = &made.renditions[0];
            assert!(largest.is_copy, "{name} {renditions:?}");
            assert_eq!(made.is_copy, renditions.len() == 1, "{name} {renditions:?}");
            let (source, copy) = (clip.probe().await, clip.made(largest).await);
            assert!(copy.size <= source.facts.size, "{name}");
            copy.lasts(6.0);
            if name != "film.mkv" {
                let (one, other) = (packets(&clip, &clip.path).await, packets(&clip, &copy.path).await);
                assert_eq!(one, other, "{name}");
            }
            // The picture begins as long before or after the sound as in the source.
            let begins = |probe: &vidp_worker::ffmpeg::Probe| {
                probe.video.as_ref().unwrap().start - probe.audio[0].start
            };
            let moved = begins(&source) - begins(&copy.probe);
            assert!(moved.abs() < 0.03, "{name}: {moved} s");
            let frames = clip.frames(&copy.path).await;
            assert_eq!(frames, 150, "{name}");
        }
    }
}

#[tokio::test]
async fn a_film_in_parts_has_a_copy_too() {
    let mut clip = Clip::make(
        "film.mp4",
        &format!("-f lavfi -i testsrc=s=640x360:r=25:d=16 -f lavfi -i sine=d=16 {PHONE}"),
    )
    .await;
    clip.settings.part_seconds = 4;
    let made = encoded(&clip, &requesting(&[P360, P144])).await;
    assert!(made.parts > 2, "the other rendition is made in parts");
    assert_eq!([true, false], [0, 1].map(|k| made.renditions[k].is_copy));
    for rendition in &made.renditions {
        let made = clip.made(rendition).await;
        made.lasts(16.0);
        assert_eq!(clip.frames(&made.path).await, 400);
        assert!(rendition.regular_keys);
    }
}

#[tokio::test]
async fn the_option_and_the_quality_decide() {
    let clip = film("film.mp4", PHONE).await;
    let both = requesting(&[P360, P144]);
    assert!(is_copied(&clip, &both).await);
    for options in [
        ScaleOptions {
            copy: false,
            ..both.clone()
        },
        ScaleOptions {
            crf: 45,
            ..both.clone()
        },
        ScaleOptions {
            codec: Codec::H265,
            ..both.clone()
        },
        ScaleOptions {
            max_size_mb: Some(1.0),
            ..both.clone()
        },
    ] {
        assert!(!is_copied(&clip, &options).await, "{options:?}");
    }
}

#[tokio::test]
async fn a_picture_that_needs_work_is_encoded() {
    let options = requesting(&[P360, P144]);
    let long_gop = film("gop.mp4", &format!("{PHONE} -g 100")).await;
    let many_bits = film("bits.mp4", &format!("{PHONE} -crf 4")).await;
    let ten_bits = film("ten.mp4", &PHONE.replace("yuv420p", "yuv420p10le")).await;
    // A picture that is renewed bit by bit, without key frames behind the first one.
    let refresh = film("refresh.mp4", &format!("{PHONE} -x264-params intra-refresh=1")).await;
    let lossless = film("lossless.mp4", &PHONE.replace("-crf 14", "-qp 0")).await;
    let broadcast = film("film.ts", PHONE).await;
    let fields = film(
        "fields.mp4",
        &format!("-vf tinterlace=interleave_top,fps=25 -flags +ilme+ildct {PHONE} -crf 22"),
    )
    .await;
    // Its edit list hides the pictures before the cut.
    let edited = film("whole.mp4", PHONE).await;
    let path = edited.folder.path().join("edited.mp4");
    let args = format!("-ss 1.5 -i {} -c copy", edited.path.display());
    edited.ffmpeg(&args, &path).await;
    let edited = Clip { path, ..edited };
    let turned = film("whole.mp4", PHONE).await;
    let turned = turned
        .remade("turned.mp4", "-c copy -metadata:s:v rotate=90")
        .await;
    let sizes = joined("sizes.mkv", "640x360", "360x640", PHONE).await;
    // Two recordings that are joined without an encode: the parameters of the second one are in its packets alone.
    let second = film(
        "second.mp4",
        &PHONE.replace("ultrafast -crf 14", "medium -crf 20"),
    )
    .await;
    let first = film("first.mp4", PHONE).await;
    let list = first.folder.path().join("list.txt");
    let line = |clip: &Clip| format!("file {}\n", clip.path.display());
    fs::write(&list, line(&first) + &line(&second)).unwrap();
    let path = first.folder.path().join("mixed.mp4");
    first
        .ffmpeg(&format!("-f concat -safe 0 -i {} -c copy", list.display()), &path)
        .await;
    let mixed = Clip { path, ..first };
    for clip in [
        mixed, long_gop, many_bits, ten_bits, refresh, lossless, broadcast, fields, edited, turned, sizes,
    ] {
        let name = clip.path.display();
        assert!(!is_copied(&clip, &options).await, "{name}");
    }
}

/// The decoder repairs a missing picture without an error.
#[tokio::test]
async fn a_picture_that_lacks_a_packet_is_encoded() {
    let references = PHONE.replace("ultrafast -crf 14", "medium -bf 2 -refs 4 -crf 20");
    let clip = film("whole.mp4", &references).await;
    assert!(is_copied(&clip, &requesting(&[P360, P144])).await, "it is whole");
    let drop = "-c copy -bsf:v noise=drop=eq(n\\,72)";
    let lacking = clip.remade("lacking.mp4", drop).await;
    assert_eq!(lacking.frames(&lacking.path).await, 149);
    for renditions in [&[P360, P144][..], &[P360]] {
        assert!(
            !is_copied(&lacking, &requesting(renditions)).await,
            "{renditions:?}"
        );
    }
}

#[tokio::test]
async fn a_damaged_picture_is_encoded() {
    for renditions in [&[P360, P144][..], &[P360]] {
        let clip = film("film.mp4", &format!("{PHONE} -slices 1")).await;
        let clip = clip.patched(|bytes| {
            let middle = bytes.len() / 2;
            bytes[middle..middle + 3000].fill(0x55);
        });
        let made = encoded(&clip, &requesting(renditions)).await;
        assert!(made.decode_errors > 0, "the decoder has found it");
        assert!(!made.renditions[0].is_copy, "{renditions:?}");
        clip.made(&made.renditions[0]).await.lasts(6.0);
    }
}
