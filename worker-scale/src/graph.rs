//! Filter graph that scales one decoded picture to every rendition. Pure.

use crate::ladder::Rung;
use vidp_contract::VideoTrack;
use vidp_worker::ffmpeg::VideoDetails;

/// Frames per second of a rendition at most.
const MAX_FPS: f64 = 60.0;
/// Short side in pixels from which untagged video is assumed to have the colour matrix of HD.
const HD_SHORT_SIDE: u32 = 720;

/// Value of `-filter_complex` with one output pad `[v0]`, `[v1]` … per rung, largest first.
///
/// ffmpeg rotates the picture upright before the first filter. Each rung is scaled from the rung above it, which is
/// cheaper than scaling from the source and looks the same.
pub(crate) fn graph(track: &VideoTrack, details: &VideoDetails, rungs: &[Rung]) -> String {
    let mut steps = Vec::new();
    if track.interlaced {
        steps.push("bwdif=mode=send_frame".to_owned());
    }
    if frame_rate(track) < track.fps {
        steps.push(format!("fps={}", frame_rate(track)));
    }
    let first = &rungs[0];
    let resize = format!("scale={}:{}:flags=bicubic", first.width, first.height);
    // Tone mapping is the most expensive step, so it runs after the first scaling and not on the source.
    match (&details.transfer, untagged(track, details)) {
        (Some(transfer), _) if track.hdr => {
            steps.push(resize);
            steps.push(to_sdr(
                transfer,
                details.matrix.as_deref(),
                details.primaries.as_deref(),
            ));
        }
        (_, Some(matrix)) => {
            let full_matrix = if is_rgb(details) {
                ":out_color_matrix=bt709"
            } else {
                ""
            };
            steps.push(format!("{resize}:out_range=tv{full_matrix}"));
            // Players guess untagged colours from the picture size, which is wrong for HD scaled down to SD. The
            // tags are therefore explicit.
            steps.push(format!(
                "setparams=colorspace={matrix}:color_primaries={matrix}:color_trc={matrix}"
            ));
        }
        _ => steps.push(format!("{resize}:out_range=tv")),
    }
    steps.push("setsar=1,format=yuv420p".to_owned());

    let mut graph = format!("[0:{}]{}", details.index, steps.join(","));
    let last = rungs.len() - 1;
    for (k, below) in rungs[1..].iter().enumerate() {
        let (width, height) = (below.width, below.height);
        graph += &format!(",split=2[v{k}][s{k}];[s{k}]scale={width}:{height}:flags=bicubic,setsar=1");
    }
    graph + &format!("[v{last}]")
}

/// Frames per second of the renditions.
///
/// Above 60 the result is the source's rate divided by a whole number, so that motion stays even. At 60 and below it
/// is the source's rate, and the frames keep their timestamps.
pub(crate) fn frame_rate(track: &VideoTrack) -> f64 {
    // Containers round timestamps, so a rate up to 1 % above 60 counts as 60.
    track.fps / (track.fps / (MAX_FPS * 1.01)).ceil().max(1.0)
}

fn is_rgb(details: &VideoDetails) -> bool {
    details.matrix.as_deref() == Some("gbr")
}

/// The colour matrix to assume when the file does not state a usable one.
fn untagged(track: &VideoTrack, details: &VideoDetails) -> Option<&'static str> {
    match details.matrix {
        Some(_) if !is_rgb(details) => None,
        _ if is_rgb(details) || track.width.min(track.height) >= HD_SHORT_SIDE => Some("bt709"),
        _ => Some("smpte170m"),
    }
}

/// Filters that convert PQ or HLG to BT.709 through linear light.
///
/// Reference white of 203 cd/m² (ITU-R BT.2408) becomes SDR white. The Möbius tone curve leaves darker values nearly
/// unchanged.
fn to_sdr(transfer: &str, matrix: Option<&str>, primaries: Option<&str>) -> String {
    let matrix = matrix.unwrap_or("bt2020nc");
    let primaries = primaries.unwrap_or("bt2020");
    format!(
        "zscale=tin={transfer}:min={matrix}:pin={primaries}:rin=limited:t=linear:npl=203,format=gbrpf32le,\
         zscale=p=bt709,tonemap=mobius:desat=0,zscale=t=bt709:m=bt709:r=limited"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::ladder;
    use vidp_contract::Rendition::{P144, P360, P720};

    fn source(width: u32, height: u32) -> (VideoTrack, VideoDetails) {
        let track = VideoTrack {
            codec: "h264".into(),
            width,
            height,
            fps: 25.0,
            pixel_format: "yuv420p".into(),
            rotation: 0,
            interlaced: false,
            hdr: false,
        };
        let details = VideoDetails {
            index: 1,
            width,
            height,
            pixel_aspect: 1.0,
            bitrate: None,
            duration: None,
            frames: None,
            transfer: None,
            primaries: None,
            matrix: Some("bt709".into()),
        };
        (track, details)
    }

    #[test]
    fn each_rung_comes_from_the_one_above() {
        let (track, details) = source(1920, 1080);
        let check = |asked: &[_], expected: &str| {
            assert_eq!(graph(&track, &details, &ladder(1920, 1080, asked)), expected);
        };
        check(
            &[P720],
            "[0:1]scale=1280:720:flags=bicubic:out_range=tv,setsar=1,format=yuv420p[v0]",
        );
        check(
            &[P720, P360, P144],
            "[0:1]scale=1280:720:flags=bicubic:out_range=tv,setsar=1,format=yuv420p,\
             split=2[v0][s0];[s0]scale=640:360:flags=bicubic,setsar=1,\
             split=2[v1][s1];[s1]scale=256:144:flags=bicubic,setsar=1[v2]",
        );
    }

    #[test]
    fn the_source_decides_what_comes_before() {
        let check = |change: fn(&mut VideoTrack, &mut VideoDetails), expected: &str| {
            let (mut track, mut details) = source(640, 360);
            change(&mut track, &mut details);
            let graph = graph(&track, &details, &ladder(640, 360, &[P360]));
            assert!(graph.contains(expected), "{graph}");
        };
        check(
            |track, _| track.interlaced = true,
            "[0:1]bwdif=mode=send_frame,scale",
        );
        check(|track, _| track.fps = 120.0, "[0:1]fps=60,scale");
        check(|_, details| details.matrix = None, "colorspace=smpte170m");
        check(
            |_, details| details.matrix = Some("gbr".into()),
            "out_color_matrix=bt709,setparams=colorspace=bt709",
        );
        check(
            |track, details| {
                track.hdr = true;
                details.transfer = Some("arib-std-b67".into());
                details.matrix = None;
            },
            "zscale=tin=arib-std-b67:min=bt2020nc:pin=bt2020:",
        );
    }

    #[test]
    fn rates() {
        let check = |fps, expected: f64| {
            let (mut track, _) = source(64, 64);
            track.fps = fps;
            assert!((frame_rate(&track) - expected).abs() < 0.001, "{fps}");
        };
        check(25.0, 25.0);
        check(60.0, 60.0);
        check(60.2, 60.2);
        check(119.88, 59.94);
        check(90.0, 45.0);
        check(240.0, 60.0);
    }
}
