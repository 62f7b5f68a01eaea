//! Reading of one entry of `streams` in the output of ffprobe.

use super::{
    details::{AudioDetails, VideoDetails},
    values::{count, number, ratio, seconds, text, time, whole},
};
use ffmpeg_sidecar::log_parser::parse_time_str;
use serde_json::Value;
use vidp_contract::{AudioTrack, VideoTrack};

pub(super) fn video_track(stream: &Value, coded: &VideoDetails) -> VideoTrack {
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
        interlaced: coded
            .field_order
            .as_deref()
            .is_some_and(|order| ["tt", "bb", "tb", "bt"].contains(&order)),
        hdr: coded
            .transfer
            .as_deref()
            .is_some_and(|t| ["smpte2084", "arib-std-b67"].contains(&t)),
    }
}

/// Frames per second: the average, or the rate that the first times suggest.
pub(super) fn frame_rate(stream: &Value) -> Option<f64> {
    stated_rate(stream).or_else(|| ratio(&stream["r_frame_rate"], '/'))
}

/// Average frames per second, as the file states or ffprobe computes them.
pub(super) fn stated_rate(stream: &Value) -> Option<f64> {
    ratio(&stream["avg_frame_rate"], '/')
}

pub(super) fn video_details(stream: &Value, clock: Clock) -> VideoDetails {
    VideoDetails {
        index: index(stream) as u32,
        width: whole(&stream["width"]),
        height: whole(&stream["height"]),
        // No camera records an aspect ratio outside this range; a file that states one would inflate the picture.
        pixel_aspect: ratio(&stream["sample_aspect_ratio"], ':')
            .filter(|aspect| (0.25..=4.0).contains(aspect))
            .unwrap_or(1.0),
        bitrate: bitrate(stream),
        start: time(&stream["start_time"]),
        duration: duration(stream, clock),
        frames: frames(stream),
        field_order: text(&stream["field_order"]).filter(|order| order != "unknown"),
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

pub(super) fn audio_details(stream: &Value, clock: Clock) -> AudioDetails {
    AudioDetails {
        index: index(stream) as u32,
        codec: codec(stream),
        channels: whole(&stream["channels"]),
        layout: layout(stream),
        sample_rate: whole(&stream["sample_rate"]),
        bitrate: bitrate(stream),
        start: time(&stream["start_time"]),
        duration: duration(stream, clock),
        language: language(stream),
    }
}

pub(super) fn is_audible(stream: &Value) -> bool {
    codec(stream) != "unknown" && whole(&stream["channels"]) > 0 && whole(&stream["sample_rate"]) > 0
}

/// Number of frames, if the file states it.
pub(super) fn frames(stream: &Value) -> Option<u64> {
    number(&stream["nb_frames"])
        .map(count)
        .filter(|frames| *frames > 0)
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

/// Length of a stream in seconds: a tag (`00:00:10.005000000`) in Matroska, a field in other containers.
///
/// The tag comes first, because ffprobe fills the field of a Matroska stream with the duration of the file.
pub(super) fn duration(stream: &Value, clock: Clock) -> Option<f64> {
    tagged_duration(stream)
        .map(|tag| clock.length(tag, time(&stream["start_time"])))
        .or_else(|| number(&stream["duration"]))
        .and_then(seconds)
}

/// The `DURATION` tag of a Matroska stream in seconds. ffmpeg writes 0 for a stream without packets.
pub(super) fn tagged_duration(stream: &Value) -> Option<f64> {
    parse_time_str(stream["tags"]["DURATION"].as_str()?)
}

/// The meaning of the durations in a container's header.
#[derive(Clone, Copy)]
pub(super) enum Clock {
    /// Seconds of media.
    Length,
    /// The time at which the media ends, as ffmpeg writes it to Matroska.
    End,
}

impl Clock {
    /// Reads the meaning from ffprobe's `format`. mkvmerge writes lengths to Matroska, other programs end times.
    pub(super) fn of(format: &Value) -> Clock {
        let matroska = text(&format["format_name"]).is_some_and(|name| name.starts_with("matroska"));
        let tags = &format["tags"];
        let muxer = text(&tags["ENCODER"]).or_else(|| text(&tags["encoder"]));
        if matroska && !muxer.is_some_and(|muxer| muxer.starts_with("libebml")) {
            Clock::End
        } else {
            Clock::Length
        }
    }

    /// Seconds of media when the header states `stated` and the first packet is at `start`.
    pub(super) fn length(self, stated: f64, start: f64) -> f64 {
        match self {
            Clock::End if stated > start => stated - start.max(0.0),
            _ => stated,
        }
    }
}

/// ffprobe's name of a channel layout, if it is safe as a part of a filter.
fn layout(stream: &Value) -> Option<String> {
    text(&stream["channel_layout"]).filter(|name| {
        name != "unknown"
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".()+-_".contains(&b))
    })
}

pub(super) fn bitrate(stream: &Value) -> Option<u64> {
    number(&stream["bit_rate"])
        .or_else(|| number(&stream["tags"]["BPS"]))
        .map(count)
        .filter(|bits| *bits > 0)
}

/// Language code, if it is safe as an argument of a program.
pub(super) fn language(stream: &Value) -> Option<String> {
    let code = text(&stream["tags"]["language"])?.to_ascii_lowercase();
    let is_code = (2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase());
    (is_code && code != "und").then_some(code)
}

/// ffprobe's name of the codec. For an unknown codec it is the container's tag, if that has printable characters.
pub(super) fn codec(stream: &Value) -> String {
    let is_tag = |tag: &String| {
        tag.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._- ".contains(&b))
    };
    text(&stream["codec_name"])
        .filter(|name| !["unknown", "none"].contains(&&**name))
        .or_else(|| text(&stream["codec_tag_string"]).filter(is_tag))
        .unwrap_or_else(|| "unknown".to_owned())
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
            let track = video_track(&stream, &video_details(&stream, Clock::Length));
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
    fn layouts_are_safe_in_filters() {
        let check = |name: &str, expected| {
            let stream = json!({"channel_layout": name});
            assert_eq!(layout(&stream).as_deref(), expected, "{name}");
        };
        check("5.1(side)", Some("5.1(side)"));
        check("FL+FR+LFE", Some("FL+FR+LFE"));
        check("unknown", None);
        check("stereo,volume=9", None);
        check("12 channels", None);
    }

    #[test]
    fn durations_of_streams() {
        let check = |stream: Value, expected: Option<f64>| {
            assert_eq!(duration(&stream, Clock::End), expected, "{stream}");
        };
        check(json!({"duration": "10.5", "start_time": "3.0"}), Some(10.5));
        check(json!({"tags": {"DURATION": "00:01:10.005000000"}}), Some(70.005));
        let late = |start: &str| json!({"start_time": start, "tags": {"DURATION": "00:01:10.500000000"}});
        check(late("60.5"), Some(10.0));
        check(late("-0.007"), Some(70.5));
        check(late("3600.0"), Some(70.5));
        assert_eq!(duration(&late("60.5"), Clock::Length), Some(70.5));
        check(json!({"duration": "N/A"}), None);
        check(json!({"duration": "0.000000"}), None);
    }
}
