//! Defensive reading of ffprobe's JSON: a number may be a string, and any field may be missing or absurd.

mod details;
mod doubt;
mod select;
mod streams;
mod values;

pub use details::{AudioDetails, VideoDetails};
pub use select::SourceStream;

use super::{
    ask::Closed,
    measure::{Content, Measured},
};
use select::Source;
use serde_json::Value;
use streams::{Clock, audio_details, audio_track, codec, video_details, video_track};
use values::{count, number, seconds, text, time};
use vidp_contract::{DropReason, FailureCode, MediaFacts};

/// Maximum number of audio tracks that are described.
const MAX_TRACKS: usize = 256;
/// Containers without a duration, which ffprobe estimates from the first and last times that it sees.
const ESTIMATED_CONTAINERS: [&str; 2] = ["mpegts", "mpeg"];

/// Properties of a media file, read from the output of ffprobe.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The properties that users see.
    pub facts: MediaFacts,
    /// The video stream that `facts` describes, if it can be decoded.
    pub video: Option<VideoDetails>,
    /// The code and the sentence for users when the video stream of `facts` cannot be decoded.
    pub video_fault: Option<(FailureCode, String)>,
    /// The audio streams that can be decoded, the default one first. `facts` may list more.
    pub audio: Vec<AudioDetails>,
    /// Number of video and audio streams.
    pub streams: usize,
    /// All streams in the order of the file, at most 63, with chapters.
    pub listed: Vec<SourceStream>,
    /// Time of the first packet in seconds; 0 when the file does not state it.
    pub start: f64,
}

impl Probe {
    /// Reads the output of ffprobe. A duration that the file does not state is 0; every number and text is bounded.
    ///
    /// `measured` has priority over what the file declares.
    pub(crate) fn parse(answer: &Value, closed: &Closed, measured: Option<&Measured>) -> Probe {
        let format = &answer["format"];
        let clock = Clock::of(format);
        let source = Source {
            answer,
            closed,
            measured,
            clock,
        };
        let film = source.film();
        let mut video = film.map(|stream| video_details(stream, clock));
        let mut facts = film
            .zip(video.as_ref())
            .map(|(stream, coded)| video_track(stream, coded));
        if let Some(details) = video.as_mut().filter(|_| format["format_name"] == "avi") {
            // A truncated AVI has no index, and ffprobe estimates the duration from the rest. The header has the frame count.
            let fps = film.and_then(streams::frame_rate);
            let counted = details
                .frames
                .zip(fps)
                .and_then(|(frames, fps)| seconds(frames as f64 / fps));
            details.duration = details.duration.into_iter().chain(counted).reduce(f64::max);
        }
        let audible = source.audible().into_iter().take(MAX_TRACKS);
        let mut audio: Vec<AudioDetails> = audible.map(|stream| audio_details(stream, clock)).collect();

        if let Some(measured) = measured {
            let is_declared = number(&format["duration"]).and_then(seconds).is_some();
            let correct = |index, start: &mut f64, duration: &mut Option<f64>| {
                let content = measured.of(index);
                let found = seconds(content.end - content.start);
                // When the end of the file is missing, its declared duration shows how much.
                let is_better =
                    measured.is_whole || found > *duration && (duration.is_some() || !is_declared);
                if found.is_some() && is_better {
                    (*start, *duration) = (content.start, found);
                }
                content
            };
            if let (Some(details), Some(track)) = (&mut video, &mut facts) {
                let content = correct(details.index, &mut details.start, &mut details.duration);
                track.fps = measured_rate(&content, film).unwrap_or(track.fps);
                if clock_jumps(answer) || !measured.is_whole {
                    // A packet may be a field there, and half of a frame.
                    details.frames = details.frames.filter(|_| !measured.is_whole);
                } else {
                    details.frames = Some(content.packets).filter(|packets| *packets > 0);
                }
            }
            for track in &mut audio {
                correct(track.index, &mut track.start, &mut track.duration);
            }
        }
        let obstacle = film.and_then(|stream| Some((stream, source.obstacle(stream)?)));
        let video_fault = obstacle.map(|(stream, reason)| fault(&codec(stream), reason));
        let video = video.filter(|_| video_fault.is_none());

        let start = time(&format["start_time"]);
        // Other streams do not count: a subtitle may end a day after the picture.
        let duration = span(video.as_ref(), &audio)
            .or_else(|| number(&format["duration"]).map(|stated| clock.length(stated, start)))
            .and_then(seconds)
            .unwrap_or(0.0);
        let size = number(&format["size"]).map_or(0, count);
        let declared = number(&format["bit_rate"])
            .map(count)
            .filter(|_| measured.is_none());
        Probe {
            facts: MediaFacts {
                container: text(&format["format_name"]).unwrap_or_default(),
                duration,
                size,
                bitrate: declared.unwrap_or_else(|| mean_bitrate(size, duration)),
                video: facts,
                audio: source
                    .of_type("audio")
                    .take(MAX_TRACKS)
                    .map(audio_track)
                    .collect(),
            },
            video,
            video_fault,
            audio,
            streams: source.of_type("video").chain(source.of_type("audio")).count(),
            listed: source.list(),
            start,
        }
    }
}

/// The measured frame rate, when the declared one is missing or belongs to no film of this many packets.
fn measured_rate(content: &Content, film: Option<&Value>) -> Option<f64> {
    /// Ratio between rates that variable frame rates do not explain. A packet may be half of a frame.
    const MAX_RATIO: f64 = 2.5;
    let measured = content.rate()?;
    let declared = film.and_then(streams::stated_rate).unwrap_or(0.0);
    let is_plausible = (1.0 / MAX_RATIO..MAX_RATIO).contains(&(declared / measured));
    (!is_plausible).then_some(measured)
}

/// True when the clock of the container may jump: recordings of broadcasts are cut and joined.
pub(super) fn clock_jumps(answer: &Value) -> bool {
    answer["format"]["format_name"]
        .as_str()
        .is_some_and(|name| ESTIMATED_CONTAINERS.contains(&name))
}

pub(super) use doubt::needs_measuring;

/// The failure of a video stream that cannot be decoded.
fn fault(codec: &str, reason: DropReason) -> (FailureCode, String) {
    match reason {
        DropReason::NotAccepted | DropReason::NoDecoder => (
            FailureCode::UnsupportedMedia,
            format!("the video has the codec {codec}, which is not accepted"),
        ),
        DropReason::Empty => (
            FailureCode::DamagedMedia,
            "the file is damaged: its video is empty".to_owned(),
        ),
        _ => (
            FailureCode::DamagedMedia,
            "the file is damaged: its video cannot be read".to_owned(),
        ),
    }
}

/// Seconds from the first packet to the last of these streams; `None` when one of them states no duration.
fn span(video: Option<&VideoDetails>, audio: &[AudioDetails]) -> Option<f64> {
    let video = video.map(|video| (video.start, video.duration));
    let audio = audio.iter().map(|audio| (audio.start, audio.duration));
    let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
    for (start, duration) in video.into_iter().chain(audio) {
        first = first.min(start);
        last = last.max(start + duration?);
    }
    (last > first).then_some(last - first)
}

/// Bits per second of a file with `size` bytes.
pub(super) fn mean_bitrate(size: u64, duration: f64) -> u64 {
    count(size as f64 * 8.0 / duration.max(0.001))
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

    fn read(answer: &Value) -> Probe {
        Probe::parse(answer, &Closed::default(), None)
    }

    #[test]
    fn covers_are_not_video_and_defaults_come_first() {
        let probe = read(&json!({
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
    fn the_duration_is_that_of_the_streams_in_use() {
        let check = |expected: f64, format: Value, streams: Value| {
            let answer = json!({"format": format, "streams": streams});
            assert_eq!(read(&answer).facts.duration, expected, "{answer}");
        };
        let audio = |start, duration| {
            json!({"codec_type": "audio", "codec_name": "aac", "channels": 2, "sample_rate": "48000",
                   "start_time": start, "duration": duration})
        };
        let video = |start, duration| json!({"codec_type": "video", "codec_name": "h264", "width": 8, "height": 8, "start_time": start, "duration": duration});
        let subtitle = json!({"codec_type": "subtitle", "duration": "95401.0"});
        let mp4 = json!({"format_name": "mov", "duration": "95443.0"});
        check(
            4.0,
            mp4.clone(),
            json!([video("0.0", "4.0"), audio("0.0", "3.9"), subtitle]),
        );
        check(
            8.0,
            mp4.clone(),
            json!([video("63.0", "5.0"), audio("60.0", "5.0")]),
        );
        check(
            95443.0,
            mp4.clone(),
            json!([video("0.0", "N/A"), audio("0.0", "3.9")]),
        );
        let matroska = json!({"format_name": "matroska,webm", "start_time": "3600.0", "duration": "3620.0"});
        check(20.0, matroska, json!([video("3600.0", "N/A")]));
    }

    #[test]
    fn an_answer_without_facts_is_read() {
        assert_eq!(read(&json!({})).facts.duration, 0.0);
        assert_eq!(read(&json!("not an object")).streams, 0);
    }
}
