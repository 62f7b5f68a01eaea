//! Pictures with unusual sizes, pixel formats, rates and colours.

use crate::clip::{Clip, H264, Made, PICTURE, requesting};
use vidp_contract::Rendition::{P144, P240, P360, P480};

#[tokio::test]
async fn turned_and_stretched_pictures() {
    let plain = Clip::make("s.mp4", &format!("{PICTURE} {H264}")).await;
    let turned = plain.folder.path().join("turned.mp4");
    plain
        .ffmpeg(
            &format!("-i {} -c copy -metadata:s:v rotate=90", plain.path.display()),
            &turned,
        )
        .await;
    let turned = Clip {
        path: turned,
        ..plain
    };
    let facts = turned.probe().await.facts.video.unwrap();
    assert_eq!((facts.width, facts.height), (360, 640));
    let made = turned.one(P240).await;
    assert_eq!(made.size(), (240, 426));
    assert_eq!(made.probe.facts.video.unwrap().rotation, 0);

    let pal = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=720x576:r=25:d=1 -vf setsar=64/45 {H264}"),
    )
    .await;
    assert_eq!(pal.one(P480).await.size(), (854, 480));
    let narrow = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=1440x1080:r=25:d=0.5 -vf setsar=4/3 {H264}"),
    )
    .await;
    let facts = narrow.probe().await.facts.video.unwrap();
    assert_eq!((facts.width, facts.height), (1920, 1080));
    assert_eq!(narrow.one(P144).await.size(), (256, 144));
}

#[tokio::test]
async fn odd_and_small_pictures() {
    let odd = Clip::make("s.mkv", "-f lavfi -i testsrc2=s=321x241:r=25:d=1 -c:v ffv1").await;
    let made = odd.scale(&requesting(&[P480, P240, P144])).await;
    assert_eq!(
        made.iter().map(Made::size).collect::<Vec<_>>(),
        [(320, 240), (192, 144)]
    );
    let small = Clip::make("s.mp4", &format!("-f lavfi -i testsrc2=s=160x90:r=25:d=1 {H264}")).await;
    let made = small.one(P480).await;
    assert_eq!((made.name.as_str(), made.size()), ("90p.mp4", (160, 90)));
}

#[tokio::test]
async fn interlaced_deep_and_fast_pictures() {
    let interlaced = Clip::make(
        "s.ts",
        "-f lavfi -i testsrc2=s=720x576:r=50:d=2 -vf interlace -c:v mpeg2video -flags +ildct+ilme",
    )
    .await;
    assert!(interlaced.probe().await.facts.video.unwrap().interlaced);
    let made = interlaced.one(P360).await.probe.facts.video.unwrap();
    assert_eq!((made.interlaced, made.fps), (false, 25.0));

    let deep = Clip::make(
        "s.mkv",
        &format!(
            "{PICTURE} -c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv422p10le"
        ),
    )
    .await;
    assert_eq!(
        deep.one(P240).await.probe.facts.video.unwrap().pixel_format,
        "yuv420p"
    );

    let fast = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=320x240:r=120:d=1 {H264}"),
    )
    .await;
    assert_eq!(fast.one(P144).await.probe.facts.video.unwrap().fps, 60.0);
}

#[tokio::test]
async fn high_dynamic_range_becomes_standard() {
    for transfer in ["smpte2084", "arib-std-b67"] {
        let args = format!(
            "-f lavfi -i smptehdbars=s=640x360:r=25:d=1 -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast \
             -x265-params log-level=error:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc -color_trc {transfer} \
             -color_primaries bt2020 -colorspace bt2020nc"
        );
        let clip = Clip::make("s.mp4", &args).await;
        assert!(clip.probe().await.facts.video.unwrap().hdr);
        let made = clip.one(P240).await.probe;
        assert!(!made.facts.video.unwrap().hdr);
        let video = made.video.unwrap();
        assert_eq!(
            (
                video.transfer.as_deref(),
                video.matrix.as_deref(),
                video.primaries.as_deref()
            ),
            (Some("bt709"), Some("bt709"), Some("bt709"))
        );
    }
}
