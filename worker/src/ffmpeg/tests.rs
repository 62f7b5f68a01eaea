//! The limits, tested with the real programs and generated files.

use super::*;
use crate::TaskError;
use std::{
    ffi::OsString,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use vidp_common::{
    config::S3Config,
    process::{Access, Limits, ProcessError},
    store::{Ranges, Store},
};
use vidp_contract::FailureCode;

/// Creates a folder with a clip made by ffmpeg. `{}` in the arguments is replaced by the folder.
async fn make(name: &str, args: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut args: Vec<OsString> = args
        .split_whitespace()
        .map(|arg| arg.replace("{}", &folder.path().display().to_string()).into())
        .collect();
    args.push(path.clone().into());
    let never = CancellationToken::new();
    let limits = Limits {
        memory: 32 << 30,
        ..process_limits(60.0)
    };
    // Inputs of the arguments may be in the folder of another clip.
    let access = Access::reading(&std::env::temp_dir()).and_writing(folder.path());
    run(&Tools::default(), args, limits, &access, &never, |_| {})
        .await
        .unwrap();
    (folder, path)
}

async fn look(path: &Path) -> Result<Probe, MediaError> {
    look_within(path, &MediaLimits::default()).await
}

async fn look_within(path: &Path, limits: &MediaLimits) -> Result<Probe, MediaError> {
    let never = CancellationToken::new();
    probe(&Tools::default(), Input::File(path), limits, &never).await
}

fn code(result: Result<Probe, MediaError>) -> FailureCode {
    match result {
        Err(MediaError::Media { code, detail }) => {
            assert!(!detail.contains('/'), "a user must not see a path: {detail}");
            code
        }
        other => panic!("not refused: {other:?}"),
    }
}

const CLIP: &str =
    "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -preset ultrafast -c:a aac";

#[tokio::test]
async fn describes_an_ordinary_clip() {
    let (_folder, path) = make("it's a \"clip\" \u{1f3ac}\n.mp4", CLIP).await;
    let probe = look(&path).await.unwrap();
    let video = probe.facts.video.as_ref().unwrap();
    assert_eq!(
        (video.codec.as_str(), video.width, video.height, video.fps),
        ("h264", 320, 180, 25.0)
    );
    assert!((probe.facts.duration - 2.0).abs() < 0.1, "{probe:?}");
    assert_eq!(probe.facts.size, fs::metadata(&path).unwrap().len());
    assert_eq!(
        (probe.facts.audio[0].codec.as_str(), probe.facts.audio[0].channels),
        ("aac", 1)
    );
    assert!(!video.hdr && !video.interlaced);
}

#[tokio::test]
async fn accepts_the_streams_that_ordinary_files_carry() {
    let (folder, source) = make("a.mp4", CLIP).await;
    fs::write(
        folder.path().join("t.srt"),
        "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
    )
    .unwrap();
    fs::write(folder.path().join("font.ttf"), [0; 99]).unwrap();
    let source = source.display();
    let dir = folder.path().display();
    let check = async |name: &str, args: String| {
        let (_folder, path) = make(name, &args).await;
        let probe = look(&path)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(probe.facts.video.expect(name).codec, "h264", "{name}");
    };
    check(
        "mov_text.mp4",
        format!("-i {source} -i {dir}/t.srt -map 0 -map 1 -c copy -c:s mov_text"),
    )
    .await;
    check(
        "timecode.mov",
        format!("-i {source} -map 0 -c copy -timecode 01:00:00:00"),
    )
    .await;
    check("chapters.mp4", {
        fs::write(
            folder.path().join("m"),
            ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=one\n",
        )
        .unwrap();
        format!("-i {source} -i {dir}/m -map 0 -map_metadata 1 -c copy")
    })
    .await;
    let attached = "-attach {} -metadata:s:t mimetype=application/x-truetype-font";
    check(
        "font.mkv",
        format!(
            "-i {source} -i {dir}/t.srt -map 0 -map 1 -c copy -c:s ass {}",
            attached.replace("{}", &format!("{dir}/font.ttf"))
        ),
    )
    .await;
    check("program.ts", format!("-i {source} -c copy")).await;
}

#[tokio::test]
async fn a_cover_is_not_a_video() {
    let cover = "-f lavfi -i sine=d=1 -f lavfi -i testsrc=s=64x64:d=0.04 -map 0 -map 1 -c:a aac -c:v png -disposition:v attached_pic";
    let (_folder, path) = make("song.m4a", cover).await;
    let probe = look(&path).await.unwrap();
    assert!(probe.video.is_none() && probe.facts.video.is_none());
    assert_eq!(probe.audio.len(), 1);
}

#[tokio::test]
async fn finds_a_duration_that_the_file_does_not_tell() {
    let live = "-f lavfi -i testsrc2=s=64x64:r=25:d=3 -c:v libvpx -deadline realtime -live 1";
    let (_folder, path) = make("live.webm", live).await;
    let probe = look(&path).await.unwrap();
    assert!(
        (probe.facts.duration - 3.0).abs() < 0.1,
        "{}",
        probe.facts.duration
    );
    assert!(probe.facts.bitrate > 0);
    let short = MediaLimits {
        max_duration_seconds: 1.0,
        ..MediaLimits::default()
    };
    assert_eq!(code(look_within(&path, &short).await), FailureCode::MediaTooLong);
}

#[tokio::test]
async fn refuses_what_is_not_media() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let check = async |what: &str, bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        assert_eq!(code(look(&path).await), FailureCode::UnsupportedMedia, "{what}");
    };
    check("empty", b"").await;
    check("text", "All happy families are alike.\n".repeat(500).as_bytes()).await;
    check("subtitles", b"1\n00:00:00,000 --> 00:00:01,000\nhello\n").await;
    for picture in ["p.png", "p.jpg", "p.gif", "p.bmp", "p.webp"] {
        let (_folder, source) = make(picture, "-f lavfi -i testsrc=s=64x64 -frames:v 1").await;
        check(picture, &fs::read(source).unwrap()).await;
    }
}

#[tokio::test]
async fn tells_damaged_from_unsupported() {
    let (_folder, path) = make("index_last.mp4", CLIP).await;
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(code(look(&path).await), FailureCode::DamagedMedia);
}

#[tokio::test]
async fn a_playlist_reaches_nothing() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let url = format!("http://{}/canary.ts", canary.local_addr().unwrap());
    let (folder, _) = make("local.ts", CLIP).await;
    let local = folder.path().join("local.ts");
    let path = folder.path().join("playlist.mp4");
    let check = async |what: &str, playlist: String| {
        fs::write(&path, playlist).unwrap();
        assert_eq!(code(look(&path).await), FailureCode::UnsupportedMedia, "{what}");
    };
    for target in [url.as_str(), local.to_str().unwrap()] {
        check(
            "hls",
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"),
        )
        .await;
        check("ffconcat", format!("ffconcat version 1.0\nfile '{target}'\n")).await;
        let dash = format!(
            r#"<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S"
            profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1"
            bandwidth="9"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"#
        );
        check("dash", dash).await;
    }
    assert!(canary.accept().is_err(), "something was fetched");
}

#[tokio::test]
async fn bounds_are_kept() {
    let day = "-f lavfi -i color=s=64x64:r=1/86400 -frames:v 1 -c:v libx264";
    let (_folder, path) = make("day.mp4", day).await;
    assert_eq!(code(look(&path).await), FailureCode::MediaTooLong);
    let huge = "-f lavfi -i color=red:s=16000x16000:r=1 -frames:v 1 -c:v mjpeg -q:v 10";
    let (_folder, path) = make("huge.avi", huge).await;
    assert_eq!(code(look(&path).await), FailureCode::MediaTooLarge);
    let fast = "-f lavfi -i testsrc=s=64x64:r=500:d=0.2 -c:v mpeg4";
    let (_folder, path) = make("fast.avi", fast).await;
    assert_eq!(code(look(&path).await), FailureCode::MediaTooLarge);
    let many = format!("-f lavfi -i anullsrc -t 0.1 {} -c:a aac", "-map 0 ".repeat(33));
    let (_folder, path) = make("many.mp4", &many).await;
    assert_eq!(code(look(&path).await), FailureCode::MediaTooLarge);
}

#[tokio::test]
async fn a_store_without_an_answer_is_not_the_files_fault() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = Store::new(&S3Config {
        s3_endpoint: format!("http://{closed}"),
        s3_region: "us-east-1".to_owned(),
        s3_bucket: "vidp".to_owned(),
        s3_access_key: "key".to_owned(),
        s3_secret_key: "secret".to_owned(),
    });
    let ranges = Ranges::start(&store, "source", 1000, None).unwrap();
    let (tools, limits, cancel) = (Tools::default(), MediaLimits::default(), CancellationToken::new());
    let error = probe(&tools, Input::Ranges(&ranges), &limits, &cancel)
        .await
        .unwrap_err();
    assert!(
        matches!(error, MediaError::Process(ProcessError::Failed { .. })),
        "{error}"
    );
    assert!(matches!(TaskError::from(error), TaskError::Retry(_)));
    let failure = TaskError::from(ranges.check().unwrap_err());
    assert!(matches!(failure, TaskError::Retry(_)), "{failure}");
}

/// ffmpeg ends with 0 when the disk is full, and its output looks like that of a damaged source.
#[tokio::test]
async fn a_full_disk_is_not_the_files_fault() {
    let never = CancellationToken::new();
    let args = "-f lavfi -i testsrc=d=0.1:s=64x64 -c:v mpeg4 -f matroska /dev/full";
    let args = args.split(' ').map(Into::into).collect();
    let access = Access::default().and_writing(Path::new("/dev/full"));
    let error = run(
        &Tools::default(),
        args,
        process_limits(1.0),
        &access,
        &never,
        |_| {},
    )
    .await
    .unwrap_err();
    let error = TaskError::from(MediaError::decoding(error));
    assert!(matches!(error, TaskError::Retry(_)), "{error:?}");
}
