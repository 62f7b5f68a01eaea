//! The index of a stream: what a playlist says about its tracks. It is an output of `scale`, beside the tracks.

use crate::{OutputFile, Stage};
use serde::{Deserialize, Serialize};

/// Tracks of one kind at most.
const MAX_TRACKS: usize = 64;
/// Segments of a track at most: a week in segments of 4 s.
const MAX_SEGMENTS: usize = 200_000;
/// Bytes of an init segment and of a segment index, ticks a second, and pixels of a side at most.
const MAX_INIT: u64 = 1 << 20;
const MAX_TIMESCALE: u32 = 10_000_000;
const MAX_SIDE: u32 = 1 << 16;
/// Seconds of a track at most, and of one segment.
const MAX_SECONDS: f64 = 1e9;
/// Length of a codec and of a language at most, in bytes.
const MAX_WORD: usize = 64;
/// Tiles of a storyboard at most.
const MAX_TILES: u32 = 10_000;

/// The tracks of a stream in CMAF (ISO/IEC 23000-19), a file for each, and their segments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamSet {
    /// The renditions of the picture, largest first.
    pub video: Vec<StreamVideo>,
    /// The audio tracks, the default track first.
    pub audio: Vec<StreamAudio>,
    /// The storyboard.
    pub images: Option<StreamImages>,
}

/// A rendition of the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamVideo {
    /// The file and its segments.
    pub track: StreamTrack,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures a second, on average.
    pub fps: f64,
}

/// An audio track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamAudio {
    /// The file and its segments.
    pub track: StreamTrack,
    /// The language that the source declares (BCP 47 or ISO 639).
    pub language: Option<String>,
    /// Number of channels.
    pub channels: u32,
}

/// One file: an init segment, a segment index, and then the segments without a gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamTrack {
    /// Name of the output, for example `720p.cmfv`.
    pub name: String,
    /// The codec by RFC 6381, for example `avc1.64001f`.
    pub codec: String,
    /// Ticks a second.
    pub timescale: u32,
    /// Bytes of the init segment.
    pub init: u64,
    /// Bytes of the segment index (`sidx`) behind it; 0 without one.
    pub index: u64,
    /// Time of the first segment in ticks.
    pub start: u64,
    /// The segments in their order.
    pub segments: Vec<Segment>,
}

/// A piece of a track that begins with a key frame. It is written as an array of three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 3]", into = "[u64; 3]")]
pub struct Segment {
    /// Bytes.
    pub size: u64,
    /// Ticks until the next segment.
    pub duration: u64,
    /// Bytes from the beginning to the end of the first sample: a range that has one picture.
    pub first_sample: u64,
}

/// A storyboard: one image with a grid of small pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamImages {
    /// Number of columns.
    pub columns: u32,
    /// Number of rows.
    pub rows: u32,
    /// Width of a small picture in pixels.
    pub width: u32,
    /// Height of a small picture in pixels.
    pub height: u32,
    /// Seconds from one small picture to the next.
    pub interval: f64,
    /// Bytes of the image.
    pub size: u64,
}

impl From<[u64; 3]> for Segment {
    fn from([size, duration, first_sample]: [u64; 3]) -> Self {
        Segment {
            size,
            duration,
            first_sample,
        }
    }
}

impl From<Segment> for [u64; 3] {
    fn from(segment: Segment) -> Self {
        [segment.size, segment.duration, segment.first_sample]
    }
}

impl StreamTrack {
    /// Seconds of this number of ticks.
    pub fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / f64::from(self.timescale)
    }

    /// Time at which the track ends, in seconds.
    pub fn end(&self) -> f64 {
        let ticks = self.segments.iter().map(|segment| segment.duration);
        self.seconds(self.start) + self.seconds(ticks.sum())
    }

    /// The longest segment in seconds.
    pub fn longest(&self) -> f64 {
        let ticks = self.segments.iter().map(|segment| segment.duration);
        self.seconds(ticks.max().unwrap_or(0))
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    /// The position of each segment in the file, in bytes, and the segment.
    pub fn placed(&self) -> impl Iterator<Item = (u64, &Segment)> {
        let mut next = self.init + self.index;
        self.segments.iter().map(move |segment| {
            let at = next;
            next += segment.size;
            (at, segment)
        })
    }

    /// Bits a second: the mean over the track, and the peak over one segment of a second or more (RFC 8216, section 4.3.4.2).
    pub fn bandwidth(&self) -> (u64, u64) {
        self.rates(|segment| segment.size)
    }

    /// The same for the first samples of the segments alone.
    pub fn key_frame_bandwidth(&self) -> (u64, u64) {
        self.rates(|segment| segment.first_sample)
    }

    fn rates(&self, size: fn(&Segment) -> u64) -> (u64, u64) {
        let rate = |size: u64, ticks: u64| (size as f64 * 8.0 / self.seconds(ticks.max(1))).ceil() as u64;
        let segments = || self.segments.iter();
        let mean = rate(
            segments().map(size).sum(),
            segments().map(|segment| segment.duration).sum(),
        );
        let long = segments().filter(|segment| segment.duration >= u64::from(self.timescale));
        let peak = long.map(|segment| rate(size(segment), segment.duration)).max();
        (mean, peak.unwrap_or(0).max(mean))
    }

    fn fits(&self) -> bool {
        let is_word = |text: &str| {
            (1..=MAX_WORD).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        };
        let total = |read: fn(&Segment) -> u64| {
            let mut sum = 0_u64;
            self.segments.iter().all(|segment| {
                sum = sum.saturating_add(read(segment));
                sum < u64::MAX / 16
            })
        };
        let is_time = |ticks: u64| (ticks as f64) < MAX_SECONDS * f64::from(self.timescale);
        OutputFile::of(Stage::Scale, &self.name).is_some_and(|file| file.is_stream_track())
            && is_word(&self.codec)
            && (1..=MAX_TIMESCALE).contains(&self.timescale)
            && (1..=MAX_INIT).contains(&self.init)
            && self.index <= MAX_INIT
            && (1..=MAX_SEGMENTS).contains(&self.segments.len())
            && self
                .segments
                .iter()
                .all(|one| one.duration > 0 && (1..=one.size).contains(&one.first_sample))
            && total(|segment| segment.size)
            && total(|segment| segment.duration)
            && is_time(self.start)
            && is_time(self.segments.iter().map(|segment| segment.duration).sum())
    }
}

impl StreamSet {
    /// Bytes of an index at most.
    pub const MAX_BYTES: u64 = 8 << 20;

    /// Reads an index. It comes from a worker, and its texts and numbers go into playlists.
    ///
    /// # Errors
    /// The text is no index, or a value is out of bounds.
    pub fn read(text: &[u8]) -> Result<StreamSet, String> {
        let set: StreamSet = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match set.fits() {
            true => Ok(set),
            false => Err("a value is out of bounds".to_owned()),
        }
    }

    /// All tracks.
    pub fn tracks(&self) -> impl Iterator<Item = &StreamTrack> {
        let audio = self.audio.iter().map(|audio| &audio.track);
        self.video.iter().map(|video| &video.track).chain(audio)
    }

    /// Seconds from 0 to the end of the longest track.
    pub fn duration(&self) -> f64 {
        self.tracks().map(StreamTrack::end).fold(0.0, f64::max)
    }

    pub(super) fn fits(&self) -> bool {
        let is_side = |pixels: u32| (1..=MAX_SIDE).contains(&pixels);
        let is_language = |text: &String| {
            (1..=MAX_WORD).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let is_rate = |fps: f64| fps.is_finite() && fps > 0.0 && fps <= 1000.0;
        let is_grid = |images: &StreamImages| {
            images.columns > 0
                && images.rows > 0
                && images.columns.saturating_mul(images.rows) <= MAX_TILES
                && is_side(images.width)
                && is_side(images.height)
                && images.interval.is_finite()
                && images.interval > 0.0
                && images.interval < MAX_SECONDS
                && images.size < u64::MAX / 16
        };
        (1..=MAX_TRACKS).contains(&self.video.len())
            && self.audio.len() <= MAX_TRACKS
            && self.tracks().all(StreamTrack::fits)
            && self
                .video
                .iter()
                .all(|video| is_side(video.width) && is_side(video.height) && is_rate(video.fps))
            && self
                .audio
                .iter()
                .all(|audio| audio.channels > 0 && audio.language.as_ref().is_none_or(is_language))
            && self.images.as_ref().is_none_or(is_grid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const GOLDEN: &str = include_str!("../../wire/stream-set.json");

    #[test]
    fn an_index_keeps_its_shape() {
        let set = StreamSet::read(GOLDEN.as_bytes()).unwrap();
        let written = serde_json::to_value(&set).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(GOLDEN).unwrap());
    }

    #[test]
    fn the_places_and_rates_of_segments_follow_from_their_sizes() {
        let set = StreamSet::read(GOLDEN.as_bytes()).unwrap();
        let track = &set.video[0].track;
        let places: Vec<u64> = track.placed().map(|(at, _)| at).collect();
        assert_eq!(places, [888, 500_888, 900_888]);
        assert_eq!((track.end(), track.longest(), set.duration()), (10.0, 4.0, 10.0));
        // 1,000,000 bytes in 10 s; the last segment has 100,000 in 2 s.
        assert_eq!(track.bandwidth(), (800_000, 1_000_000));
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        let check = |pointer: &str, value: Value| {
            let mut changed: Value = serde_json::from_str(GOLDEN).unwrap();
            *changed.pointer_mut(pointer).unwrap() = value;
            let read = StreamSet::read(changed.to_string().as_bytes());
            assert!(read.is_err(), "{pointer}");
        };
        for name in ["720p.mp4", "../720p.cmfv", "stream.json", ""] {
            check("/video/0/track/name", json!(name));
        }
        check("/video", json!([]));
        check("/video/0/track/codec", json!("avc1\",URI=\"http://example.com"));
        check("/video/0/track/timescale", json!(0));
        check("/video/0/track/segments", json!([]));
        check("/video/0/track/segments/0", json!([0, 90_000, 0]));
        check("/video/0/track/segments/0", json!([10, 90_000, 11]));
        check("/video/0/track/segments/0", json!([u64::MAX, 90_000, 5]));
        check("/video/0/track/segments/0", json!([10, u64::MAX, 5]));
        check("/video/0/track/start", json!(u64::MAX));
        check("/video/0/width", json!(0));
        check("/video/0/fps", json!(0.0));
        check("/audio/0/language", json!("en\nx"));
        check("/audio/0/channels", json!(0));
        check("/images/interval", json!(0.0));
        check("/images/rows", json!(u32::MAX));
    }
}
