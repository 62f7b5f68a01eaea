//! Reading of one entry of `streams` in the output of ffprobe.

use super::{
    details::{AudioDetails, VideoDetails},
    values::{number, ratio, text, whole},
};
use ffmpeg_sidecar::log_parser::parse_time_str;
use serde_json::Value;
use vidp_contract::{AudioTrack, VideoTrack};

pub(super) fn video_track(stream: &Value) -> VideoTrack {
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

pub(super) fn frame_rate(stream: &Value) -> Option<f64> {
    ["avg_frame_rate", "r_frame_rate"]
        .into_iter()
        .find_map(|rate| ratio(&stream[rate], '/'))
}

pub(super) fn video_details(stream: &Value) -> VideoDetails {
    VideoDetails {
        index: index(stream) as u32,
        width: whole(&stream["width"]),
        height: whole(&stream["height"]),
        // No camera records an aspect ratio outside this range; a file that states one would inflate the picture.
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

pub(super) fn audio_track(stream: &Value) -> AudioTrack {
    AudioTrack {
        codec: codec(stream),
        channels: whole(&stream["channels"]),
        sample_rate: whole(&stream["sample_rate"]),
        language: language(stream),
    }
}

pub(super) fn audio_details(stream: &Value) -> AudioDetails {
    AudioDetails {
        index: index(stream) as u32,
        bitrate: bitrate(stream),
        duration: duration(stream),
        language: language(stream),
    }
}

pub(super) fn is_audible(stream: &Value) -> bool {
    text(&stream["codec_name"]).is_some()
        && whole(&stream["channels"]) > 0
        && whole(&stream["sample_rate"]) > 0
}

/// Rotation in clockwise degrees. ffprobe counts anticlockwise; ffmpeg rotates frames only by right angles.
pub(super) fn rotation(stream: &Value) -> u32 {
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

/// Duration of a stream in seconds: a field in MP4, a tag (`00:00:10.005000000`) in Matroska.
pub(super) fn duration(stream: &Value) -> Option<f64> {
    number(&stream["duration"])
        .or_else(|| parse_time_str(stream["tags"]["DURATION"].as_str()?))
        .filter(|seconds| *seconds > 0.0)
}

pub(super) fn bitrate(stream: &Value) -> Option<u64> {
    number(&stream["bit_rate"])
        .or_else(|| number(&stream["tags"]["BPS"]))
        .map(|bits| bits as u64)
        .filter(|bits| *bits > 0)
}

/// Language code, if it is safe as an argument of a program.
pub(super) fn language(stream: &Value) -> Option<String> {
    let code = text(&stream["tags"]["language"])?.to_ascii_lowercase();
    let is_code = (2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase());
    (is_code && code != "und").then_some(code)
}

pub(super) fn codec(stream: &Value) -> String {
    text(&stream["codec_name"]).unwrap_or_else(|| "unknown".to_owned())
}

/// Name of a colour property, if it is one of ffmpeg's names, which are safe as filter arguments.
pub(super) fn colour(value: &Value) -> Option<String> {
    text(value).filter(|name| {
        !["unknown", "reserved", "unspecified"].contains(&&**name)
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

pub(super) fn is_set(stream: &Value, disposition: &str) -> bool {
    number(&stream["disposition"][disposition]) == Some(1.0)
}

pub(super) fn index(stream: &Value) -> i64 {
    whole(&stream["index"]).into()
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
    fn durations_of_streams() {
        let check =
            |stream: Value, expected: Option<f64>| assert_eq!(duration(&stream), expected, "{stream}");
        check(json!({"duration": "10.5"}), Some(10.5));
        check(json!({"tags": {"DURATION": "00:01:10.005000000"}}), Some(70.005));
        check(json!({"duration": "N/A"}), None);
        check(json!({"duration": "0.000000"}), None);
    }
}
