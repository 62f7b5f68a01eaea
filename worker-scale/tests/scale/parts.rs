//! Films that are encoded in parts: every picture is there once, at its time, as in one piece.

use crate::clip::{Clip, Made, quiet, requesting};
use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};
use vidp_contract::{Codec, Rendition::P144, ScaleOptions};
use vidp_worker::ffmpeg::{self, Input, Packets};

/// A film of 20 s whose pictures differ clearly from each other, with sound.
const FILM: &str = "-f lavfi -i testsrc2=s=320x180:r=15:d=20 -f lavfi -i sine=beep_factor=4:d=20";
/// Decibels that two encodes of the same picture have in common at least. Neighbouring pictures have fewer than 26.
const SAME: f64 = 30.0;

async fn packets(clip: &Clip, path: &Path) -> Packets {
    let found = ffmpeg::packets(&clip.settings.tools, Input::File(path), 0, &clip.cancel).await;
    found.unwrap().unwrap()
}

/// The least signal-to-noise ratio of any two pictures of two files.
async fn likeness(clip: &Clip, one: &Path, other: &Path) -> f64 {
    let log = clip.folder.path().join("psnr.log");
    let inputs = format!("-i {} -i {}", one.display(), other.display());
    let filter = format!(
        "-lavfi [0:v]setpts=N/25/TB[a];[1:v]setpts=N/25/TB[b];[a][b]psnr=f={}",
        log.display()
    );
    clip.ffmpeg(&format!("{inputs} {filter} -f null"), Path::new("-"))
        .await;
    let text = fs::read_to_string(log).unwrap();
    let values = text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("psnr_avg:"));
    values
        .map(|value| value.parse().unwrap_or(f64::INFINITY))
        .fold(f64::INFINITY, f64::min)
}

/// Seconds of a part, from the name of the source: other cuts for each, and the same each time.
fn seconds(kind: &str) -> u32 {
    match kind {
        "camera.avi" | "stream.flv" | "varying.mp4" | "slow.mp4" => 4,
        _ => 2 + kind.bytes().map(u32::from).sum::<u32>() % 5,
    }
}

/// Encodes a film in one piece and in parts, and compares the pictures and their times.
async fn check(kind: &str, mut clip: Clip, codec: Codec) {
    let options = ScaleOptions {
        codec,
        crf: 20,
        ..requesting(&[P144])
    };
    clip.settings.part_seconds = 100_000;
    let whole = clip.scale(&options).await.remove(0);
    let kept = clip.folder.path().join(format!("whole-{}", whole.name));
    fs::rename(&whole.path, &kept).unwrap();
    clip.settings.part_seconds = seconds(kind);
    let (_, encoded) = clip.try_encode(&options, quiet()).await.unwrap();
    assert!(
        encoded.parts > 2,
        "{kind} is made in parts of {} s",
        seconds(kind)
    );
    let parted = clip.made(&encoded.renditions[0]).await;

    let (one, other) = (packets(&clip, &kept).await, packets(&clip, &parted.path).await);
    assert_eq!(one.times.len(), other.times.len(), "{kind}");
    let shift = one.times[0] - other.times[0];
    assert!(shift.abs() <= 120, "{kind}: {shift} ticks");
    for (one, other) in one.times.iter().zip(&other.times) {
        assert!((one - other).abs() <= 121, "{kind}: {one} and {other}");
    }
    for pair in other.keys.windows(2) {
        assert!(
            pair[1] - pair[0] <= 300_000,
            "{kind}: a key frame every 2 s: {:?}",
            other.keys
        );
    }
    let likeness = likeness(&clip, &kept, &parted.path).await;
    assert!(likeness > SAME, "{kind}: {likeness} dB");
    let sound = |made: &Made| made.probe.audio[0].duration.unwrap();
    assert!((sound(&whole) - sound(&parted)).abs() < 0.03, "{kind}");
    assert!(
        (whole.probe.audio[0].start - parted.probe.audio[0].start).abs() < 0.002,
        "{kind}"
    );
}

#[tokio::test]
async fn every_kind_of_source_keeps_its_pictures() {
    let x264 = "-c:v libx264 -preset ultrafast -crf 10 -g 30 -c:a aac";
    let open = "-x264-params open-gop=1:bframes=3:b-adapt=0";
    let x265 = "-c:v libx265 -preset ultrafast -crf 16 -c:a aac -x265-params log-level=error:keyint=30:bframes=3:open-gop=1";
    let vp8 = "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 2M -g 40 -c:a libopus";
    let vp9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 2M -g 40 -c:a libopus";
    for (name, args) in [
        ("closed.mp4", x264.to_owned()),
        ("open.mp4", format!("{x264} -bf 3 {open}")),
        ("open.ts", format!("{x264} -g 8 -bf 3 {open}")),
        ("intra.mkv", "-c:v mjpeg -q:v 3 -c:a aac".to_owned()),
        (
            "fragmented.mp4",
            format!("{x264} -bf 2 -movflags frag_keyframe+empty_moov"),
        ),
        ("live.webm", format!("{vp8} -live 1")),
        ("cues.webm", vp9.to_owned()),
        ("rare-keys.mp4", format!("{x264} -g 150 -keyint_min 150")),
        ("closed.ts", format!("{x264} -g 12")),
        ("open.mkv", format!("{x264} -bf 3 {open}")),
        ("open-hevc.mp4", format!("{x265} -tag:v hvc1")),
        ("open-hevc.mkv", x265.to_owned()),
        ("camera.avi", "-c:v mpeg4 -q:v 3 -g 25 -c:a libmp3lame".to_owned()),
        ("stream.flv", format!("{x264} -bf 2")),
        (
            "varying.mp4",
            format!("-vf select='if(lt(mod(t,4),1),not(mod(n,7)),1)' -vsync vfr {x264}"),
        ),
        ("slow.mp4", format!("-r 30000/1001 {x264}")),
    ] {
        check(
            name,
            Clip::make(name, &format!("{FILM} {args}")).await,
            Codec::H264,
        )
        .await;
    }
}

#[tokio::test]
async fn every_codec_keeps_its_pictures() {
    for codec in Codec::ALL {
        let args = format!("{FILM} -c:v libx264 -preset ultrafast -crf 10 -g 30 -bf 2 -c:a aac");
        check(&codec.to_string(), Clip::make("film.mp4", &args).await, codec).await;
    }
}

/// A cut in the middle of a file and a late picture or sound move all times.
#[tokio::test]
async fn starts_are_kept() {
    let args = format!("{FILM} -c:v libx264 -preset ultrafast -crf 10 -g 30 -bf 2 -c:a aac");
    let cut = Clip::make("whole.mp4", &args)
        .await
        .remade("cut.mp4", "-ss 1.5 -c copy")
        .await;
    // The input option `-ss` stands behind the input here, so both streams are cut by their packets.
    check("an edit list", cut, Codec::H264).await;
    for (name, map) in [
        ("late-picture.mkv", "-map 1:v -map 0:a"),
        ("late-sound.mkv", "-map 0:v -map 1:a"),
    ] {
        let clip = Clip::make("whole.mp4", &args).await;
        let again = format!("-itsoffset 0.7 -i {} {map} -c copy", clip.path.display());
        check(name, clip.remade(name, &again).await, Codec::H264).await;
    }
}

#[tokio::test]
async fn progress_covers_the_whole_film() {
    let mut clip = Clip::make(
        "film.mp4",
        &format!("{FILM} -c:v libx264 -preset ultrafast -crf 10 -g 30 -c:a aac"),
    )
    .await;
    clip.settings.part_seconds = 4;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let report = seen.clone();
    let on_progress = Arc::new(move |share, speed| report.lock().unwrap().push((share, speed)));
    let (_, encoded) = clip.try_encode(&requesting(&[P144]), on_progress).await.unwrap();
    let seen = seen.lock().unwrap();
    let tenths: std::collections::BTreeSet<u8> =
        seen.iter().map(|(share, _)| (share * 10.0_f64) as u8).collect();
    assert!(tenths.len() >= encoded.parts, "{seen:?}");
    assert!(
        seen.is_sorted_by(|one, other| one.0 <= other.0 + 1e-9),
        "{seen:?}"
    );
    assert_eq!(seen.last().unwrap().0, 1.0, "{seen:?}");
    assert!(seen.last().unwrap().1 > 0.0, "{seen:?}");
}
