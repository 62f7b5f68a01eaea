//! Files that declare times, rates and counts that they do not have.

use crate::clip::{Clip, H264, PICTURE, SOUND, requesting};
use vidp_contract::{FailureCode, Rendition::P144};
use vidp_worker::ffmpeg::MediaError;

/// VP8 and Opus without a duration, as browsers record them.
const LIVE: &str = "-c:v libvpx -deadline realtime -c:a libopus -live 1";

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes
        .windows(what.len())
        .position(|window| window == what)
        .unwrap()
}

/// Replaces the frame duration in a WebM header, in nanoseconds; `None` removes it.
fn set_frame_duration(bytes: &mut [u8], nanoseconds: Option<u32>) {
    let at = find(bytes, &[0x23, 0xe3, 0x83]);
    let length = usize::from(bytes[at + 3] & 0x7f);
    let value = &mut bytes[at..at + 4 + length];
    match nanoseconds {
        Some(nanoseconds) => {
            value[4..].fill(0);
            value[length..].copy_from_slice(&nanoseconds.to_be_bytes());
        }
        None => {
            // A void element of the same length.
            value.fill(0);
            (value[0], value[1]) = (0xec, 0x80 | (length as u8 + 2));
        }
    }
}

#[tokio::test]
async fn a_camera_that_comes_late() {
    for (name, codecs) in [
        ("s.webm", "-c:v libvpx -deadline realtime -c:a libopus"),
        ("s.mkv", "-c:v libx264 -preset ultrafast -c:a aac"),
        ("s.mp4", "-fps_mode vfr -c:v libx264 -preset ultrafast -c:a aac"),
        ("s.ts", "-c:v libx264 -preset ultrafast -c:a aac"),
    ] {
        let late = "-itsoffset 3 -f lavfi -i testsrc2=s=320x180:r=25:d=4 -f lavfi -i sine=d=7 -map 0 -map 1";
        let made = Clip::make(name, &format!("{late} {codecs}"))
            .await
            .one(P144)
            .await;
        made.lasts(7.0);
        let start = made.probe.video.unwrap().start;
        assert!((start - 3.0).abs() < 0.1, "{name}: {start}");
    }
}

#[tokio::test]
async fn a_clock_that_does_not_begin_at_zero() {
    for name in ["s.mkv", "s.mp4", "s.flv"] {
        let clip = Clip::make(name, &format!("{PICTURE} {SOUND} {H264} -output_ts_offset 3600")).await;
        let duration = clip.probe().await.facts.duration;
        assert!((duration - 3.0).abs() < 0.1, "{name}: {duration}");
        clip.one(P144).await.lasts(3.0);
    }
}

#[tokio::test]
async fn a_header_with_an_absurd_duration() {
    for seconds in [0_u32, 1, 7200, 95_443] {
        let clip = Clip::make("s.mp4", &format!("{PICTURE} {SOUND} {H264}")).await;
        let clip = clip.patched(|bytes| {
            let at = find(bytes, b"mvhd");
            let scale = u32::from_be_bytes(bytes[at + 16..at + 20].try_into().unwrap());
            bytes[at + 20..at + 24].copy_from_slice(&(seconds * scale).to_be_bytes());
        });
        let duration = clip.probe().await.facts.duration;
        assert!((duration - 3.0).abs() < 0.1, "{seconds}: {duration}");
        clip.one(P144).await.lasts(3.0);
    }
    let clip = Clip::make("s.mkv", &format!("{PICTURE} {H264}")).await;
    let subtitles = clip.folder.path().join("s.srt");
    std::fs::write(&subtitles, "1\n26:30:00,000 --> 26:30:01,000\nbye\n").unwrap();
    let args = format!("-i {} -map 0 -map 1 -c copy -c:s srt", subtitles.display());
    let clip = clip.remade("day.mkv", &args).await;
    assert_eq!(clip.probe().await.facts.duration, 3.0);
    clip.one(P144).await.lasts(3.0);
}

#[tokio::test]
async fn a_header_with_an_absurd_frame_rate() {
    let picture = "-f lavfi -i testsrc2=s=320x180:r=30:d=3 -f lavfi -i sine=d=3";
    // 1000 and 240 frames a second, and none.
    for duration in [Some(1_000_000), Some(4_166_667), None] {
        let clip = Clip::make("s.webm", &format!("{picture} {LIVE}")).await;
        let clip = clip.patched(|bytes| set_frame_duration(bytes, duration));
        let fps = clip.probe().await.facts.video.unwrap().fps;
        assert!((fps - 30.0).abs() < 1.0, "{duration:?}: {fps}");
        let made = clip.one(P144).await;
        made.lasts(3.0);
        assert_eq!(clip.frames(&made.path).await, 90, "{duration:?}");
    }
    let two = Clip::make(
        "s.webm",
        &format!("-f lavfi -i testsrc2=s=320x180:r=30 -frames:v 2 {LIVE}"),
    )
    .await;
    let two = two.patched(|bytes| set_frame_duration(bytes, None));
    let made = two.one(P144).await;
    assert_eq!(two.frames(&made.path).await, 2);
}

#[tokio::test]
async fn times_that_jitter_as_those_of_browsers() {
    let jitter = "-vf settb=1/1000,setpts='round(N*1000/30)+mod(N*N*7919+N*131,20)' -fps_mode passthrough -enc_time_base 1/1000";
    let clip = Clip::make(
        "s.webm",
        &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=8 {jitter} {LIVE}"),
    )
    .await;
    let clip = clip.patched(|bytes| set_frame_duration(bytes, None));
    let fps = clip.probe().await.facts.video.unwrap().fps;
    assert!((fps - 30.0).abs() < 1.0, "{fps}");
    let frames = clip.frames(&clip.path).await;
    let made = clip.one(P144).await;
    assert_eq!(clip.frames(&made.path).await, frames);
}

#[tokio::test]
async fn a_thousand_frames_a_second_are_refused() {
    let picture = "-f lavfi -i testsrc2=s=64x64:r=1000:d=1";
    for (name, codec) in [("s.webm", LIVE), ("s.mkv", H264), ("s.mp4", H264)] {
        let clip = Clip::make(name, &format!("{picture} {codec}")).await;
        let Err(MediaError::Media { code, .. }) = clip.try_probe().await else {
            panic!("{name} is accepted");
        };
        assert_eq!(code, FailureCode::MediaTooLarge);
    }
}

#[tokio::test]
async fn a_recording_that_begins_between_key_frames() {
    let long_gop = "-c:v libx264 -preset ultrafast -g 250 -sc_threshold 0 -c:a aac";
    let make = async || {
        let clip = Clip::make(
            "s.ts",
            &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=12 -f lavfi -i sine=d=12 {long_gop}"),
        )
        .await;
        clip.patched(|bytes| {
            let packets = bytes.len() / 188;
            bytes.drain(..packets * 2 / 5 * 188);
        })
    };
    let check = async |clip: Clip, what: &str| {
        let made = clip.one(P144).await;
        made.lasts(7.2);
        let video = made.probe.video.unwrap();
        assert!((video.start - 5.2).abs() < 0.3, "{what}: {video:?}");
    };
    check(make().await, "ts").await;
    for name in ["s.mkv", "s.mp4"] {
        check(make().await.remade(name, "-c copy -copyinkf").await, name).await;
    }
}

#[tokio::test]
async fn a_file_that_was_cut_is_still_damaged() {
    for (name, container) in [
        ("s.mkv", ""),
        ("s.mp4", "-movflags +faststart"),
        ("s.flv", ""),
        ("s.mxf", "-ar 48000 -c:a pcm_s16le -c:v mpeg2video"),
    ] {
        let source = "-f lavfi -i testsrc2=s=320x180:r=25:d=8 -f lavfi -i sine=d=8";
        let codecs = format!("{H264} -c:a aac");
        let clip = Clip::make(name, &format!("{source} {codecs} {container}")).await;
        let clip = clip.patched(|bytes| bytes.truncate(bytes.len() * 7 / 10));
        let (code, detail) = clip.fault(&requesting(&[P144])).await;
        assert_eq!(code, FailureCode::DamagedMedia, "{name}: {detail}");
    }
}

#[tokio::test]
async fn many_tracks_of_a_camera() {
    let tracks = "-map 1 ".repeat(16);
    let clip = Clip::make(
        "s.mxf",
        &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=1 -f lavfi -i sine=d=1:r=48000 -map 0 {tracks} -c:v mpeg2video -c:a pcm_s16le"),
    )
    .await;
    let made = clip.one(P144).await;
    assert_eq!(made.probe.audio.len(), 8);
}
