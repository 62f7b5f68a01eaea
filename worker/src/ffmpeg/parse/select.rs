//! Chooses the streams to convert, and lists all others.

use super::{
    streams::{Clock, codec, duration, frame_rate, frames, index, is_audible, is_set, language},
    values::{text, whole},
};
use crate::ffmpeg::{ask::Closed, measure::Measured};
use serde_json::Value;
use std::cmp::Reverse;
use vidp_contract::{DropReason, StreamKind};

/// Streams that are listed at most.
const MAX_LISTED: usize = 64;
/// Codecs of still pictures. Films of these codecs exist, but not beside a film of another codec.
const PICTURE_CODECS: [&str; 7] = ["mjpeg", "png", "bmp", "gif", "tiff", "webp", "jpeg2000"];
/// Codecs of subtitles that are text. The others are pictures.
const TEXT_CODECS: [&str; 6] = ["subrip", "mov_text", "webvtt", "ass", "ssa", "text"];
/// Containers of several programs, in which the largest picture may belong to other sound.
const PROGRAM_CONTAINER: &str = "mpegts";

/// A stream of the source, as the container lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceStream {
    /// Index of the stream in the file; chapters have none.
    pub index: Option<u32>,
    /// Kind of content.
    pub kind: StreamKind,
    /// Codec, by ffprobe's name, or the container's tag.
    pub codec: String,
    /// Language code of two or three lower-case letters.
    pub language: Option<String>,
    /// True for subtitles that show only what viewers would not understand, such as foreign speech.
    pub forced: bool,
    /// True for subtitles that describe sounds too.
    pub hearing_impaired: bool,
    /// The reason why the stream cannot be converted, if there is one.
    pub obstacle: Option<DropReason>,
}

/// What is known about a file, for the choice of its streams.
pub(super) struct Source<'a> {
    pub(super) answer: &'a Value,
    pub(super) closed: &'a Closed,
    pub(super) measured: Option<&'a Measured>,
    pub(super) clock: Clock,
}

impl<'a> Source<'a> {
    /// All streams of the file.
    pub(super) fn streams(&self) -> &'a [Value] {
        self.answer["streams"].as_array().map_or(&[], Vec::as_slice)
    }

    /// All streams of one type, by ffprobe's name of the type.
    pub(super) fn of_type(&self, kind: &'static str) -> impl Iterator<Item = &'a Value> {
        self.streams()
            .iter()
            .filter(move |stream| stream["codec_type"] == kind)
    }

    /// The video stream that is the film: moving before still, then decodable, then by the container's choice and size.
    pub(super) fn film(&self) -> Option<&'a Value> {
        let has_programs = self.answer["format"]["format_name"] == PROGRAM_CONTAINER;
        self.of_type("video")
            .filter(|stream| !is_cover(stream))
            .max_by_key(|stream| {
                let area = u64::from(whole(&stream["width"])) * u64::from(whole(&stream["height"]));
                (
                    self.is_moving(stream),
                    self.obstacle(stream).is_none(),
                    !PICTURE_CODECS.contains(&&*codec(stream)),
                    is_set(stream, "default"),
                    if has_programs { 0 } else { area },
                    Reverse(index(stream)),
                )
            })
    }

    /// The audio streams that can be decoded, the default one first.
    pub(super) fn audible(&self) -> Vec<&'a Value> {
        let usable = |stream: &&Value| is_audible(stream) && self.obstacle(stream).is_none();
        let mut audible: Vec<&Value> = self.of_type("audio").filter(usable).collect();
        audible.sort_by_key(|stream| (!is_set(stream, "default"), index(stream)));
        audible
    }

    /// False for a stream with a single frame.
    fn is_moving(&self, stream: &Value) -> bool {
        if let Some(measured) = self.measured {
            return measured.of(index(stream) as u32).all > 1;
        }
        let one_frame = frame_rate(stream).zip(duration(stream, self.clock));
        frames(stream) != Some(1) && one_frame.is_none_or(|(fps, seconds)| seconds * fps > 1.5)
    }

    /// The reason why a stream cannot be decoded.
    pub(super) fn obstacle(&self, stream: &Value) -> Option<DropReason> {
        let number = index(stream) as u32;
        let same_codec = |refused: &u32| {
            let other = self
                .streams()
                .iter()
                .find(|other| index(other) == i64::from(*refused));
            other.is_some_and(|other| codec(other) == codec(stream))
        };
        if self.closed.not_accepted.iter().any(same_codec) {
            return Some(DropReason::NotAccepted);
        }
        if self.closed.no_decoder.contains(&number) {
            return Some(DropReason::NoDecoder);
        }
        let is_empty = self.measured.is_some_and(|measured| measured.of(number).all == 0);
        let is_readable = match stream["codec_type"].as_str() {
            Some("audio") => is_audible(stream),
            _ => whole(&stream["width"]) > 0 && whole(&stream["height"]) > 0,
        };
        match (is_empty, is_readable) {
            (true, true) => Some(DropReason::Empty),
            (_, false) => Some(DropReason::Undecodable),
            _ => None,
        }
    }

    /// Every stream in the order of the file, then the chapters; at most [`MAX_LISTED`] with the closed captions, which are found later.
    pub(super) fn list(&self) -> Vec<SourceStream> {
        let film = self.film().map(index);
        let all = self.streams().iter().take(MAX_LISTED - 2).map(|stream| {
            let kind = kind(stream);
            let obstacle = match kind {
                StreamKind::Video if is_cover(stream) => Some(DropReason::Still),
                StreamKind::Video if Some(index(stream)) != film => {
                    let other = if self.is_moving(stream) {
                        DropReason::OtherVideo
                    } else {
                        DropReason::Still
                    };
                    Some(self.obstacle(stream).unwrap_or(other))
                }
                StreamKind::Video | StreamKind::Audio => self.obstacle(stream),
                StreamKind::Subtitle if TEXT_CODECS.contains(&codec(stream).as_str()) => None,
                _ => Some(DropReason::NotConverted),
            };
            SourceStream {
                index: Some(index(stream) as u32),
                kind,
                codec: codec(stream),
                language: language(stream),
                forced: is_set(stream, "forced"),
                hearing_impaired: is_set(stream, "hearing_impaired"),
                obstacle,
            }
        });
        let has_chapters = self.answer["chapters"]
            .as_array()
            .is_some_and(|chapters| !chapters.is_empty());
        let chapters = has_chapters.then(|| SourceStream {
            index: None,
            kind: StreamKind::Chapters,
            codec: "chapters".to_owned(),
            language: None,
            forced: false,
            hearing_impaired: false,
            obstacle: Some(DropReason::NotConverted),
        });
        all.chain(chapters).collect()
    }
}

/// True for the cover of a song, and for the small pictures of a timeline.
fn is_cover(stream: &Value) -> bool {
    is_set(stream, "attached_pic") || is_set(stream, "timed_thumbnails")
}

fn kind(stream: &Value) -> StreamKind {
    text(&stream["codec_type"])
        .and_then(|kind| kind.parse().ok())
        .unwrap_or(StreamKind::Data)
}
