//! Films with still pictures and other streams beside them.

use crate::clip::{Clip, H264, PICTURE, SOUND, quiet, requesting};
use std::collections::BTreeMap;
use vidp_contract::{Codec, DropReason, Rendition::P144, StreamFate, StreamKind, StreamReport};

async fn streams(clip: &Clip) -> Vec<StreamReport> {
    let (probe, encoded) = clip.try_encode(&requesting(&[P144]), quiet()).await.unwrap();
    worker_scale::report(&probe, &encoded, Codec::H264, BTreeMap::new(), &[])
}

#[tokio::test]
async fn the_film_is_converted_and_not_the_still() {
    let small = "-f lavfi -i testsrc=s=160x90:r=25:d=0.04";
    let large = "-f lavfi -i testsrc=s=1600x900:r=25:d=0.04";
    for (name, still, codec) in [
        ("s.mp4", small, "mjpeg"),
        ("s.mkv", small, "mjpeg"),
        ("s.mkv", large, "mjpeg"),
        ("s.mp4", large, "png"),
        ("s.mov", small, "png"),
    ] {
        let args = format!(
            "{still} {PICTURE} -f lavfi -i sine=d=3 -map 0 -map 1 -map 2 -c:v:0 {codec} -c:v:1 libx264 \
             -preset:v:1 ultrafast -c:a aac -disposition:v:0 default -disposition:v:1 0"
        );
        let clip = Clip::make(name, &args).await;
        let track = clip.probe().await.facts.video.unwrap();
        assert_eq!(
            (track.codec.as_str(), track.width),
            ("h264", 640),
            "{name} {codec}"
        );
        let reasons: Vec<_> = streams(&clip).await.iter().map(|stream| stream.reason).collect();
        assert_eq!(reasons, [Some(DropReason::Still), None, None], "{name} {codec}");
        let made = clip.one(P144).await;
        assert_eq!(clip.frames(&made.path).await, 75);
    }
}

#[tokio::test]
async fn every_stream_of_the_source_is_listed() {
    let clip = Clip::make("a.mkv", &format!("{PICTURE} {SOUND} {H264}")).await;
    let folder = clip.folder.path().to_owned();
    std::fs::write(folder.join("t.srt"), "1\n00:00:00,000 --> 00:00:01,000\nhello\n").unwrap();
    std::fs::write(folder.join("font.ttf"), [0; 99]).unwrap();
    let chapters = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=one\n";
    std::fs::write(folder.join("chapters"), chapters).unwrap();
    let dir = folder.display();
    let tracks = "-map 0:a ".repeat(8);
    let args = format!(
        "-i {dir}/t.srt -i {dir}/chapters -map 0 {tracks} -map 1 -map_metadata 2 -c copy -c:s srt \
         -metadata:s:s language=fra -attach {dir}/font.ttf -metadata:s:t mimetype=application/x-truetype-font"
    );
    let clip = clip.remade("s.mkv", &args).await;
    let listed = streams(&clip).await;
    let check = |kind, fate, reason, count| {
        let alike = listed
            .iter()
            .filter(|stream| (stream.kind, stream.fate, stream.reason) == (kind, fate, reason));
        assert_eq!(alike.count(), count, "{kind} {fate}: {listed:#?}");
    };
    let dropped = |reason| (StreamFate::Dropped, Some(reason));
    let (fate, other) = dropped(DropReason::NotConverted);
    check(StreamKind::Video, StreamFate::Converted, None, 1);
    check(StreamKind::Audio, StreamFate::Converted, None, 8);
    check(StreamKind::Audio, fate, Some(DropReason::TooMany), 1);
    check(StreamKind::Subtitle, StreamFate::Converted, None, 1);
    check(StreamKind::Attachment, fate, other, 1);
    check(StreamKind::Chapters, fate, other, 1);
    assert_eq!(listed.len(), 13);
    let subtitle = listed
        .iter()
        .find(|stream| stream.kind == StreamKind::Subtitle)
        .unwrap();
    assert_eq!(
        (subtitle.codec.as_str(), subtitle.language.as_deref()),
        ("subrip", Some("fra"))
    );
}
