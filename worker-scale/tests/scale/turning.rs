//! Pictures whose size or shape changes during the recording.

use crate::clip::Clip;
use vidp_contract::Rendition::{P144, P360};

/// True when the columns from `left` to `right` of the rows are black.
fn is_black(picture: &[u8], width: usize, columns: std::ops::Range<usize>) -> bool {
    picture
        .chunks(width)
        .all(|row| row[columns.clone()].iter().all(|pixel| *pixel < 24))
}

/// Joins two recordings of two seconds, encoded by `args`.
pub(crate) async fn joined(name: &str, first: &str, second: &str, args: &str) -> Clip {
    let source = |size: &str| format!("-f lavfi -i color=white:s={size}:r=15:d=2 {args}");
    let clip = Clip::make(&format!("1{name}"), &source(first)).await;
    let folder = clip.folder.path().to_owned();
    clip.ffmpeg(&source(second), &folder.join(format!("2{name}")))
        .await;
    let list = folder.join("list.txt");
    std::fs::write(&list, format!("file 1{name}\nfile 2{name}\n")).unwrap();
    let path = folder.join(name);
    clip.ffmpeg(&format!("-f concat -safe 0 -i {} -c copy", list.display()), &path)
        .await;
    Clip { path, ..clip }
}

#[tokio::test]
async fn a_phone_that_is_turned_gets_bars() {
    let vp8 = "-c:v libvpx -deadline realtime";
    let mpeg2 = "-c:v mpeg2video -q:v 3";
    for (name, codec) in [
        ("s.webm", vp8),
        ("s.ts", "-c:v libx264 -preset ultrafast"),
        ("p.ts", mpeg2),
    ] {
        let codec = if codec == mpeg2 {
            "-r 25 -c:v mpeg2video -q:v 3"
        } else {
            codec
        };
        let clip = joined(name, "640x360", "360x640", codec).await;
        let made = clip.one(P144).await;
        assert_eq!(made.size(), (256, 144));
        made.lasts(4.0);
        let before = clip.picture(&made.path, 1.0).await;
        assert!(
            !is_black(&before, 256, 0..70),
            "{name}: the picture fills the frame"
        );
        let after = clip.picture(&made.path, 3.0).await;
        assert!(
            is_black(&after, 256, 0..84) && is_black(&after, 256, 172..256),
            "{name}: bars"
        );
        let middle = after
            .chunks(256)
            .all(|row| row[92..164].iter().all(|pixel| *pixel > 200));
        assert!(middle, "{name}: the picture is 81 pixels wide");
    }
}

#[tokio::test]
async fn upright_recordings_and_other_shapes_get_bars() {
    let clip = joined("s.webm", "360x640", "640x360", "-c:v libvpx -deadline realtime").await;
    let made = clip.one(P360).await;
    assert_eq!(made.size(), (360, 640));
    let after = clip.picture(&made.path, 3.0).await;
    assert!(is_black(&after[..360 * 210], 360, 0..360));
    assert!(after[360 * 320..360 * 321].iter().all(|pixel| *pixel > 200));

    // The size of the frames stays, and the shape of their pixels changes: 16:9 becomes 4:3.
    let wide = "-f lavfi -i color=white:s=720x576:r=25:d=2 -vf setsar=64/45 -c:v mpeg2video -q:v 3";
    let clip = Clip::make("1.ts", wide).await;
    let folder = clip.folder.path().to_owned();
    clip.ffmpeg(&wide.replace("64/45", "16/15"), &folder.join("2.ts"))
        .await;
    let mut bytes = std::fs::read(folder.join("1.ts")).unwrap();
    bytes.extend(std::fs::read(folder.join("2.ts")).unwrap());
    std::fs::write(&clip.path, bytes).unwrap();
    let made = clip.one(P144).await;
    assert_eq!(made.size(), (256, 144));
    let after = clip.picture(&made.path, 3.0).await;
    assert!(is_black(&after, 256, 0..30) && is_black(&after, 256, 226..256));
}
