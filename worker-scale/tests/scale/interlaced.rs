//! Interlaced sources whose container does not say so.

use crate::clip::Clip;
use vidp_contract::Rendition::P480;

/// A bar that moves 12 pixels in each field.
const BAR: &str = "-f lavfi -i color=black:s=720x480:r=60000/1001:d=0.5,format=yuv420p,geq=lum='if(between(mod(X-N*12\\,720)\\,0\\,60)\\,235\\,16)':cb=128:cr=128";

/// Mean difference between each row and the rows beside it.
fn comb(picture: &[u8], width: usize) -> f64 {
    let rows: Vec<&[u8]> = picture.chunks(width).collect();
    let all = rows.windows(3).flat_map(|rows| {
        let columns = rows[0].iter().zip(rows[1]).zip(rows[2]);
        columns.map(|((above, row), below)| {
            (2.0 * f64::from(*row) - f64::from(*above) - f64::from(*below)).abs()
        })
    });
    let (sum, count) = all.fold((0.0, 0.0), |(sum, count), next| (sum + next, count + 1.0));
    sum / count
}

#[tokio::test]
async fn frames_that_are_marked_as_interlaced_have_no_combs() {
    let dv = "-vf tinterlace=interleave_bottom,setsar=10/11 -c:v dvvideo -pix_fmt yuv411p";
    let mpeg4 = "-vf tinterlace=interleave_top -c:v mpeg4 -q:v 2 -flags +ildct+ilme";
    let mpeg2 = "-vf tinterlace=interleave_top -c:v mpeg2video -q:v 2 -flags +ildct+ilme";
    let h264 = "-vf tinterlace=interleave_top -c:v libx264 -x264-params interlaced=1";
    for (name, codec) in [
        ("s.avi", dv),
        ("s.dv", dv),
        ("s.mov", dv),
        ("s.mkv", dv),
        ("s.avi", mpeg4),
        ("s.mkv", mpeg4),
        ("s.mpg", mpeg2),
        ("s.mkv", h264),
    ] {
        let clip = Clip::make(name, &format!("{BAR} {codec}")).await;
        let track = clip.probe().await.facts.video.unwrap();
        assert!(track.interlaced, "{name}: {track:?}");
        let made = clip.one(P480).await;
        let picture = clip.picture(&made.path, 0.25).await;
        let figure = comb(&picture, made.size().0 as usize);
        assert!(figure < 1.0, "{name} {}: {figure}", track.codec);
        assert!(!made.probe.facts.video.unwrap().interlaced);
    }
}

#[tokio::test]
async fn progressive_frames_stay_as_they_are() {
    for codec in ["-c:v mpeg4 -q:v 2", "-c:v libx264 -preset ultrafast"] {
        let clip = Clip::make(
            "s.avi",
            &format!("-f lavfi -i testsrc2=s=320x240:r=25:d=1 {codec}"),
        )
        .await;
        assert!(!clip.probe().await.facts.video.unwrap().interlaced, "{codec}");
    }
}
