//! Audio tracks, and the timestamps of frames.

use crate::clip::{Clip, H264, PICTURE, SOUND, requesting};
use vidp_contract::{FailureCode, Rendition::P144};

#[tokio::test]
async fn sound_of_every_kind() {
    let two = Clip::make(
        "s.mkv",
        &format!("{PICTURE} -f lavfi -i sine=d=3 -f lavfi -i sine=f=99:d=3 -map 0 -map 1 -map 2 {H264} -c:a flac -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu -disposition:a:0 0 -disposition:a:1 default"),
    )
    .await;
    let audio = two.one(P144).await.probe.facts.audio;
    let languages: Vec<_> = audio
        .iter()
        .map(|track| track.language.as_deref().unwrap())
        .collect();
    assert_eq!(languages, ["deu", "eng"], "the default track comes first");

    let surround = Clip::make("s.mkv", &format!("{PICTURE} -f lavfi -i anoisesrc=d=3 -af pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0 {H264} -c:a ac3")).await;
    assert_eq!(surround.probe().await.facts.audio[0].channels, 6);
    assert_eq!(surround.one(P144).await.probe.facts.audio[0].channels, 2);

    let silent = Clip::make("s.mp4", &format!("{PICTURE} {H264}")).await;
    assert!(silent.one(P144).await.probe.facts.audio.is_empty());

    let audio_only = Clip::make("s.mp4", "-f lavfi -i sine=d=1 -c:a aac").await;
    assert_eq!(
        audio_only.fault(&requesting(&[P144])).await.0,
        FailureCode::NoVideoStream
    );
}

#[tokio::test]
async fn frames_keep_their_own_times() {
    // 24 frames in the first second, then two per second; `-vsync vfr` keeps the timestamps.
    let filter = "-vf select='lt(t,1)+not(mod(n,12))' -vsync vfr";
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=320x240:r=24:d=5 {filter} {H264}"),
    )
    .await;
    let source = clip.probe().await;
    let made = clip.one(P144).await;
    assert_eq!(made.probe.video.unwrap().frames, source.video.unwrap().frames);

    let still = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=320x240:r=1/5:d=5 -f lavfi -i sine=d=5 {H264} -c:a aac"),
    )
    .await;
    still.one(P144).await.lasts(5.0);
    let trimmed = Clip::make("s.mp4", &format!("{PICTURE} {SOUND} {H264}")).await;
    let cut = trimmed.folder.path().join("cut.mp4");
    trimmed
        .ffmpeg(&format!("-ss 1.5 -i {} -c copy", trimmed.path.display()), &cut)
        .await;
    let cut = Clip { path: cut, ..trimmed };
    cut.one(P144).await.lasts(1.5);
}
