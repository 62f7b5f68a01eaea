//! ffprobe's JSON, read defensively: numbers come as strings or numbers, and any field may be missing or absurd.

use ffmpeg_sidecar::log_parser::parse_time_str;
use serde_json::Value;
use vidp_contract::{AudioTrack, MediaFacts, VideoTrack};

/// What ffprobe says of a media file.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// What users see.
    pub facts: MediaFacts,
    /// The video stream the facts describe.
    pub video: Option<VideoDetails>,
    /// The audio streams that can be decoded, the default one first. May be fewer than the facts list.
    pub audio: Vec<AudioDetails>,
    /// Number of video and audio streams.
    pub streams: usize,
    /// Bytes of the input that were read to find this out.
    pub bytes_read: u64,
}

/// What converting a video stream takes.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoDetails {
    /// Index of the stream in the file.
    pub index: u32,
    /// Pixels as stored: before rotation and aspect ratio.
    pub width: u32,
    /// Pixels as stored: before rotation and aspect ratio.
    pub height: u32,
    /// Width over height of one stored pixel.
    pub pixel_aspect: f64,
    /// Bits per second, when the file says so.
    pub bitrate: Option<u64>,
    /// Seconds, when the file says so for this stream.
    pub duration: Option<f64>,
    /// Number of frames, when the file says so.
    pub frames: Option<u64>,
    /// Transfer characteristics, for example `bt709`, `smpte2084`.
    pub transfer: Option<String>,
    /// Colour primaries, for example `bt709`, `bt2020`.
    pub primaries: Option<String>,
    /// Matrix coefficients, for example `bt709`, `bt2020nc`.
    pub matrix: Option<String>,
}

/// What converting an audio stream takes.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioDetails {
    /// Index of the stream in the file.
    pub index: u32,
    /// Bits per second, when the file says so.
    pub bitrate: Option<u64>,
    /// Seconds, when the file says so for this stream.
    pub duration: Option<f64>,
    /// Two or three lower-case letters.
    pub language: Option<String>,
}

impl Probe {
    /// Reads ffprobe's answer. A duration that the file does not tell is 0.
    pub(crate) fn parse(answer: &Value) -> Probe {
        let format = &answer["format"];
        let none = Vec::new();
        let streams = answer["streams"].as_array().unwrap_or(&none);
        let of_type = |kind: &'static str| streams.iter().filter(move |s| s["codec_type"] == kind);
        let video = of_type("video")
            .filter(|stream| !is_set(stream, "attached_pic") && !is_set(stream, "timed_thumbnails"))
            .max_by_key(|stream| (is_set(stream, "default"), -index(stream)));
        let mut heard: Vec<&Value> = of_type("audio").filter(|stream| is_audible(stream)).collect();
        heard.sort_by_key(|stream| (!is_set(stream, "default"), index(stream)));

        let mut details = video.map(video_details);
        if let (Some(stream), Some(details)) = (video, &mut details)
            && format["format_name"] == "avi"
        {
            // Half an AVI has lost its index, and ffprobe reckons from what is left; the header still has the count.
            let counted = details
                .frames
                .zip(frame_rate(stream))
                .map(|(frames, fps)| frames as f64 / fps);
            details.duration = details.duration.into_iter().chain(counted).reduce(f64::max);
        }

        let longest = streams.iter().filter_map(duration).fold(0.0, f64::max);
        let duration = number(&format["duration"])
            .filter(|d| *d > 0.0)
            .unwrap_or(longest);
        let size = number(&format["size"]).unwrap_or(0.0);
        let bitrate = number(&format["bit_rate"]).unwrap_or(size * 8.0 / duration.max(0.001));
        Probe {
            facts: MediaFacts {
                container: text(&format["format_name"]).unwrap_or_default(),
                duration,
                size: size as u64,
                bitrate: bitrate as u64,
                video: video.map(video_track),
                audio: of_type("audio").map(audio_track).collect(),
            },
            video: details,
            audio: heard.into_iter().map(audio_details).collect(),
            streams: of_type("video").chain(of_type("audio")).count(),
            bytes_read: 0,
        }
    }
}

/// The container says that it holds one still picture (AVIF, HEIC).
pub(super) fn is_picture(answer: &Value) -> bool {
    let brand = text(&answer["format"]["tags"]["major_brand"]).unwrap_or_default();
    ["avif", "heic", "heix", "mif1"].contains(&brand.trim())
}

fn video_track(stream: &Value) -> VideoTrack {
    let coded = video_details(stream);
    let rotation = rotation(stream);
    let shown_width = (f64::from(coded.width) * coded.pixel_aspect).round() as u32;
    let (width, height) = match rotation {
        90 | 270 => (coded.height, shown_width),
        _ => (shown_width, coded.height),
    };
    VideoTrack {
        codec: codec(stream),
        width,
        height,
        fps: frame_rate(stream).unwrap_or(0.0),
        pixel_format: text(&stream["pix_fmt"]).unwrap_or_default(),
        rotation,
        interlaced: text(&stream["field_order"]).is_some_and(|f| ["tt", "bb", "tb", "bt"].contains(&&*f)),
        hdr: coded
            .transfer
            .is_some_and(|t| ["smpte2084", "arib-std-b67"].contains(&&*t)),
    }
}

fn frame_rate(stream: &Value) -> Option<f64> {
    ["avg_frame_rate", "r_frame_rate"]
        .into_iter()
        .find_map(|rate| ratio(&stream[rate], '/'))
}

fn video_details(stream: &Value) -> VideoDetails {
    VideoDetails {
        index: index(stream) as u32,
        width: whole(&stream["width"]),
        height: whole(&stream["height"]),
        // Nobody films with pixels beyond these; a file that says so would only blow up the picture.
        pixel_aspect: ratio(&stream["sample_aspect_ratio"], ':')
            .filter(|aspect| (0.25..=4.0).contains(aspect))
            .unwrap_or(1.0),
        bitrate: bitrate(stream),
        duration: duration(stream),
        frames: number(&stream["nb_frames"])
            .map(|frames| frames as u64)
            .filter(|frames| *frames > 0),
        transfer: colour(&stream["color_transfer"]),
        primaries: colour(&stream["color_primaries"]),
        matrix: colour(&stream["color_space"]),
    }
}

fn audio_track(stream: &Value) -> AudioTrack {
    AudioTrack {
        codec: codec(stream),
        channels: whole(&stream["channels"]),
        sample_rate: whole(&stream["sample_rate"]),
        language: language(stream),
    }
}

fn audio_details(stream: &Value) -> AudioDetails {
    AudioDetails {
        index: index(stream) as u32,
        bitrate: bitrate(stream),
        duration: duration(stream),
        language: language(stream),
    }
}

fn is_audible(stream: &Value) -> bool {
    text(&stream["codec_name"]).is_some()
        && whole(&stream["channels"]) > 0
        && whole(&stream["sample_rate"]) > 0
}

/// Clockwise degrees. ffprobe counts anticlockwise; ffmpeg turns the frame only for right angles.
fn rotation(stream: &Value) -> u32 {
    let side_data = stream["side_data_list"].as_array();
    let degrees = side_data
        .and_then(|list| list.iter().find_map(|entry| number(&entry["rotation"])))
        .map(|anticlockwise| -anticlockwise)
        .or_else(|| number(&stream["tags"]["rotate"]))
        .unwrap_or(0.0)
        .rem_euclid(360.0);
    let right_angle = (degrees / 90.0).round() * 90.0;
    if (degrees - right_angle).abs() < 1.0 {
        right_angle as u32 % 360
    } else {
        0
    }
}

/// A stream's own duration: a field in MP4, a tag (`00:00:10.005000000`) in Matroska.
fn duration(stream: &Value) -> Option<f64> {
    number(&stream["duration"])
        .or_else(|| parse_time_str(stream["tags"]["DURATION"].as_str()?))
        .filter(|seconds| *seconds > 0.0)
}

fn bitrate(stream: &Value) -> Option<u64> {
    number(&stream["bit_rate"])
        .or_else(|| number(&stream["tags"]["BPS"]))
        .map(|bits| bits as u64)
        .filter(|bits| *bits > 0)
}

/// Only what is safe to hand on as an argument.
fn language(stream: &Value) -> Option<String> {
    let code = text(&stream["tags"]["language"])?.to_ascii_lowercase();
    let is_code = (2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase());
    (is_code && code != "und").then_some(code)
}

fn codec(stream: &Value) -> String {
    text(&stream["codec_name"]).unwrap_or_else(|| "unknown".to_owned())
}

/// Only ffmpeg's own names, which are safe to hand on as filter arguments.
fn colour(value: &Value) -> Option<String> {
    text(value).filter(|name| {
        !["unknown", "reserved", "unspecified"].contains(&&**name)
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

fn is_set(stream: &Value, disposition: &str) -> bool {
    number(&stream["disposition"][disposition]) == Some(1.0)
}

fn index(stream: &Value) -> i64 {
    whole(&stream["index"]).into()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    number.is_finite().then_some(number)
}

fn whole(value: &Value) -> u32 {
    number(value).map_or(0, |number| number as u32)
}

/// `30000/1001` or `4:3`; nothing when either side is 0.
fn ratio(value: &Value, separator: char) -> Option<f64> {
    let (above, below) = value.as_str()?.split_once(separator)?;
    let ratio = above.parse::<f64>().ok()? / below.parse::<f64>().ok()?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn picture_as_shown() {
        let check = |stream: Value, expected: (u32, u32, u32)| {
            let track = video_track(&stream);
            assert_eq!((track.width, track.height, track.rotation), expected, "{stream}");
        };
        check(json!({"width": 1920, "height": 1080}), (1920, 1080, 0));
        check(
            json!({"width": 720, "height": 576, "sample_aspect_ratio": "16:15"}),
            (768, 576, 0),
        );
        check(
            json!({"width": 720, "height": 576, "sample_aspect_ratio": "0:1"}),
            (720, 576, 0),
        );
        check(
            json!({"width": 720, "height": 576, "sample_aspect_ratio": "1:9999"}),
            (720, 576, 0),
        );
        let phone = json!({"width": 1920, "height": 1080, "side_data_list": [{"side_data_type": "Display Matrix", "rotation": -90}]});
        check(phone, (1080, 1920, 90));
        check(
            json!({"width": 1920, "height": 1080, "tags": {"rotate": "270"}}),
            (1080, 1920, 270),
        );
        check(
            json!({"width": 8, "height": 4, "side_data_list": [{"rotation": 180}]}),
            (8, 4, 180),
        );
        check(
            json!({"width": 8, "height": 4, "side_data_list": [{"rotation": 33.5}]}),
            (8, 4, 0),
        );
        check(json!({"width": "8", "height": null}), (8, 0, 0));
    }

    #[test]
    fn covers_are_not_video_and_defaults_come_first() {
        let probe = Probe::parse(&json!({
            "format": {"format_name": "mov", "duration": "2.5", "size": "1000", "bit_rate": "3200"},
            "streams": [
                {"index": 0, "codec_type": "video", "codec_name": "png", "disposition": {"attached_pic": 1}},
                {"index": 1, "codec_type": "audio", "codec_name": "aac", "channels": 6, "sample_rate": "48000", "tags": {"language": "deu"}},
                {"index": 2, "codec_type": "audio", "channels": 0, "sample_rate": "0", "tags": {"language": "-x;rm"}},
                {"index": 3, "codec_type": "audio", "codec_name": "opus", "channels": 2, "sample_rate": 48000, "disposition": {"default": 1}},
                {"index": 4, "codec_type": "data"},
            ]
        }));
        assert!(probe.video.is_none() && probe.facts.video.is_none());
        let heard: Vec<u32> = probe.audio.iter().map(|track| track.index).collect();
        assert_eq!(heard, [3, 1]);
        assert_eq!((probe.facts.audio.len(), probe.streams), (3, 4));
        assert_eq!(probe.facts.audio[0].language.as_deref(), Some("deu"));
        assert_eq!(probe.facts.audio[1].language, None);
        assert_eq!((probe.facts.duration, probe.facts.size), (2.5, 1000));
    }

    #[test]
    fn durations_and_rates() {
        let check =
            |stream: Value, expected: Option<f64>| assert_eq!(duration(&stream), expected, "{stream}");
        check(json!({"duration": "10.5"}), Some(10.5));
        check(json!({"tags": {"DURATION": "00:01:10.005000000"}}), Some(70.005));
        check(json!({"duration": "N/A"}), None);
        check(json!({"duration": "0.000000"}), None);
        assert_eq!(ratio(&json!("30000/1001"), '/'), Some(30000.0 / 1001.0));
        assert_eq!(ratio(&json!("0/0"), '/'), None);
        assert_eq!(Probe::parse(&json!({})).facts.duration, 0.0);
        assert_eq!(Probe::parse(&json!("not an object")).streams, 0);
    }
}
