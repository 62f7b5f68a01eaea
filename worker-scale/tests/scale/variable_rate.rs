//! Sources whose frame rate varies: each frame keeps its own time.

use crate::clip::{Clip, requesting};
use vidp_contract::{Codec, Rendition::P144, ScaleOptions};

/// Ten frames in the first second, then sixty a second.
const VARIABLE: &str = "-f lavfi -i testsrc2=s=320x180:r=60:d=5 -vf select='if(lt(t,1),not(mod(n,6)),1)' -vsync vfr -c:v libx264 -preset ultrafast";

#[tokio::test]
async fn no_codec_loses_a_frame() {
    for name in ["s.mp4", "s.mkv"] {
        let clip = Clip::make("a.mp4", VARIABLE).await.remade(name, "-c copy").await;
        for codec in Codec::ALL {
            let options = ScaleOptions {
                codec,
                crf: 40,
                ..requesting(&[P144])
            };
            let made = clip.scale(&options).await.remove(0);
            assert_eq!(clip.frames(&made.path).await, 250, "{name} {codec}");
            made.lasts(5.0);
        }
    }
}

#[tokio::test]
async fn slow_beginnings_are_no_damage() {
    for slow in [2, 5] {
        let args = format!(
            "-f lavfi -i testsrc2=s=320x180:r=30:d=15 -vf select='if(lt(t,5),not(mod(n,{})),1)' -vsync vfr \
             -c:v libvpx -deadline realtime",
            30 / slow
        );
        let clip = Clip::make("s.webm", &args).await;
        let frames = clip.frames(&clip.path).await;
        assert_eq!(frames, 300 + 5 * slow);
        let made = clip.one(P144).await;
        assert_eq!(clip.frames(&made.path).await, frames, "{slow}");
    }
}

#[tokio::test]
async fn a_size_limit_holds_for_the_finer_clock() {
    let clip = Clip::make(
        "s.mp4",
        &VARIABLE
            .replace("testsrc2", "mandelbrot")
            .replace(":d=5", " -t 5"),
    )
    .await;
    for codec in Codec::ALL {
        let options = ScaleOptions {
            codec,
            max_size_mb: Some(0.1),
            ..requesting(&[P144])
        };
        let made = clip.scale(&options).await.remove(0);
        assert!(made.size <= 100_000, "{codec}: {}", made.size);
    }
}
