//! Defensive reading of ffprobe's JSON: a number may be a string, and any field may be missing or absurd.

mod details;
mod streams;
mod values;

pub use details::{AudioDetails, VideoDetails};

use serde_json::Value;
use streams::{
    audio_details, audio_track, duration, frame_rate, index, is_audible, is_set, video_details, video_track,
};
use values::{number, text};
use vidp_contract::MediaFacts;

/// Properties of a media file, read from the output of ffprobe.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The properties that users see.
    pub facts: MediaFacts,
    /// The video stream that `facts` describes.
    pub video: Option<VideoDetails>,
    /// The audio streams that can be decoded, the default one first. `facts` may list more.
    pub audio: Vec<AudioDetails>,
    /// Number of video and audio streams.
    pub streams: usize,
    /// Bytes of the input that ffprobe read.
    pub bytes_read: u64,
}

impl Probe {
    /// Reads the output of ffprobe. A duration that the file does not state is 0.
    pub(crate) fn parse(answer: &Value) -> Probe {
        let format = &answer["format"];
        let none = Vec::new();
        let streams = answer["streams"].as_array().unwrap_or(&none);
        let of_type = |kind: &'static str| streams.iter().filter(move |s| s["codec_type"] == kind);
        let video = of_type("video")
            .filter(|stream| !is_set(stream, "attached_pic") && !is_set(stream, "timed_thumbnails"))
            .max_by_key(|stream| (is_set(stream, "default"), -index(stream)));
        let mut audible: Vec<&Value> = of_type("audio").filter(|stream| is_audible(stream)).collect();
        audible.sort_by_key(|stream| (!is_set(stream, "default"), index(stream)));

        let mut details = video.map(video_details);
        if let (Some(stream), Some(details)) = (video, &mut details)
            && format["format_name"] == "avi"
        {
            // A truncated AVI has no index, and ffprobe estimates the duration from the rest. The header has the frame count.
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
            audio: audible.into_iter().map(audio_details).collect(),
            streams: of_type("video").chain(of_type("audio")).count(),
            bytes_read: 0,
        }
    }
}

/// True when the container holds one still picture (AVIF, HEIC).
pub(super) fn is_picture(answer: &Value) -> bool {
    let brand = text(&answer["format"]["tags"]["major_brand"]).unwrap_or_default();
    ["avif", "heic", "heix", "mif1"].contains(&brand.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let audible: Vec<u32> = probe.audio.iter().map(|track| track.index).collect();
        assert_eq!(audible, [3, 1]);
        assert_eq!((probe.facts.audio.len(), probe.streams), (3, 4));
        assert_eq!(probe.facts.audio[0].language.as_deref(), Some("deu"));
        assert_eq!(probe.facts.audio[1].language, None);
        assert_eq!((probe.facts.duration, probe.facts.size), (2.5, 1000));
    }

    #[test]
    fn an_answer_without_facts_is_read() {
        assert_eq!(Probe::parse(&json!({})).facts.duration, 0.0);
        assert_eq!(Probe::parse(&json!("not an object")).streams, 0);
    }
}
