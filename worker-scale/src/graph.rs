//! Filter graph that scales one decoded picture to every rendition. Pure.

use crate::ladder::Rung;
use vidp_contract::VideoTrack;
use vidp_worker::ffmpeg::{TICKS, VideoDetails};

/// Frames per second of a rendition at most.
const MAX_FPS: f64 = 60.0;
/// Short side in pixels from which untagged video is assumed to have the colour matrix of HD.
const HD_SHORT_SIDE: u32 = 720;

/// The part of a film that a graph passes, in ticks of the file's clock. Needs `-copyts`.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// The first time that passes; `None` for all from the beginning.
    pub(crate) start: Option<i64>,
    /// The first time that does not pass; `None` for all to the end.
    pub(crate) end: Option<i64>,
    /// The time that becomes 0.
    pub(crate) origin: i64,
}

impl Cut {
    /// The filters. Times are whole ticks, so that each picture passes in exactly one part.
    fn filters(&self) -> String {
        let bound = |name: &str, time: Option<i64>| time.map(|time| format!("{name}={time}"));
        let bounds: Vec<String> = [bound("start_pts", self.start), bound("end_pts", self.end)]
            .into_iter()
            .flatten()
            .collect();
        let origin = self.origin;
        format!("settb=1/{TICKS},trim={},setpts=PTS-({origin})", bounds.join(":"))
    }
}

/// Value of `-filter_complex` with one output pad `[v0]`, `[v1]` … per rung, largest first.
///
/// ffmpeg rotates the picture upright before the first filter. Each rung is scaled from the rung above it, which is
/// cheaper than scaling from the source and looks the same.
///
/// With `cut` only a part of the film passes. Filters that need neighbouring pictures come before it.
pub(crate) fn graph(track: &VideoTrack, details: &VideoDetails, rungs: &[Rung], cut: Option<&Cut>) -> String {
    let mut steps = Vec::new();
    if let Some(filter) = deinterlace(track) {
        steps.push(filter.to_owned());
    }
    if frame_rate(track) < track.fps {
        steps.push(format!("fps={}", frame_rate(track)));
    }
    steps.extend(cut.map(Cut::filters));
    let first = &rungs[0];
    let (resize, bars) = fit(first.width, first.height);
    // Tone mapping is the most expensive step, so it runs after the first scaling and not on the source.
    match (&details.transfer, untagged(track, details)) {
        (Some(transfer), _) if track.hdr => {
            steps.extend([resize, bars]);
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
            steps.extend([format!("{resize}:out_range=tv{full_matrix}"), bars]);
            // Players guess untagged colours from the picture size, which is wrong for HD scaled down to SD. The
            // tags are therefore explicit.
            steps.push(format!(
                "setparams=colorspace={matrix}:color_primaries={matrix}:color_trc={matrix}"
            ));
        }
        _ => steps.extend([format!("{resize}:out_range=tv"), bars]),
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

/// Filters that scale a picture into `width` and `height`, and that put bars beside it where it does not fill them.
///
/// Both look at each frame, because its size and aspect ratio may change, for example when a phone is turned during a
/// call. The picture fills the size when its sides would differ by less than 2 pixels: sides are rounded to even
/// numbers.
fn fit(width: u32, height: u32) -> (String, String) {
    // Absurd pixel aspect ratios do not count, as in the probe.
    let aspect = "if(between(sar,1/4,4),dar,a)";
    let fills = format!("lt(abs({width}/{aspect}-{height}),2)+lt(abs({height}*{aspect}-{width}),2)");
    let side =
        |whole: u32, scaled: String| format!("'if({fills},{whole},max(2,min({whole},2*round({scaled}/2))))'");
    let scaled_width = side(width, format!("{height}*{aspect}"));
    let scaled_height = side(height, format!("{width}/{aspect}"));
    (
        format!("scale={scaled_width}:{scaled_height}:eval=frame:flags=bicubic"),
        format!("pad={width}:{height}:-1:-1:eval=frame"),
    )
}

/// Codecs that mark each interlaced frame, also against the header.
const MARKING_CODECS: [&str; 7] = [
    "h264",
    "hevc",
    "mpeg1video",
    "mpeg2video",
    "mpeg4",
    "vc1",
    "dvvideo",
];

/// The filter that removes the combs of interlaced frames, if the codec can have such frames.
///
/// With `deint=interlaced` other frames pass unchanged and without cost.
fn deinterlace(track: &VideoTrack) -> Option<&'static str> {
    if MARKING_CODECS.contains(&track.codec.as_str()) {
        Some("bwdif=mode=send_frame:deint=interlaced")
    } else {
        track.interlaced.then_some("bwdif=mode=send_frame")
    }
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
    use vidp_contract::{
        Codec,
        Rendition::{P144, P360, P720},
    };

    fn source(width: u32, height: u32) -> (VideoTrack, VideoDetails) {
        let track = VideoTrack {
            codec: "vp9".into(),
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
            start: 0.0,
            duration: None,
            frames: None,
            field_order: None,
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
            let (resize, bars) = fit(1280, 720);
            let first = format!("[0:1]{resize}:out_range=tv,{bars},setsar=1,format=yuv420p");
            let ladder = ladder(1920, 1080, asked, Codec::H264);
            assert_eq!(graph(&track, &details, &ladder, None), first + expected);
        };
        check(&[P720], "[v0]");
        check(
            &[P720, P360, P144],
            ",\
             split=2[v0][s0];[s0]scale=640:360:flags=bicubic,setsar=1,\
             split=2[v1][s1];[s1]scale=256:144:flags=bicubic,setsar=1[v2]",
        );
    }

    #[test]
    fn the_source_decides_what_comes_before() {
        let check = |change: fn(&mut VideoTrack, &mut VideoDetails), expected: &str| {
            let (mut track, mut details) = source(640, 360);
            change(&mut track, &mut details);
            let graph = graph(&track, &details, &ladder(640, 360, &[P360], Codec::H264), None);
            assert!(graph.contains(expected), "{graph}");
        };
        check(|_, _| {}, "[0:1]scale");
        check(
            |track, _| track.interlaced = true,
            "[0:1]bwdif=mode=send_frame,scale",
        );
        check(
            |track, _| track.codec = "mpeg4".into(),
            "[0:1]bwdif=mode=send_frame:deint=interlaced,scale",
        );
        check(|track, _| track.fps = 120.0, "[0:1]fps=60,scale");
        check(|_, details| details.matrix = None, "colorspace=smpte170m");
        check(
            |_, details| details.matrix = Some("gbr".into()),
            "out_color_matrix=bt709,pad=640:360:-1:-1:eval=frame,setparams=colorspace=bt709",
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
