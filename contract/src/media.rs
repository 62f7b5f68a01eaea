use crate::{check::bounded, named::named};
use serde::{Deserialize, Serialize};

/// Properties of a media file, as probed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MediaFacts {
    /// Container, by ffprobe's name.
    pub container: String,
    /// Duration in seconds.
    pub duration: f64,
    /// File size in bytes.
    #[serde(serialize_with = "bounded::whole")]
    pub size: u64,
    /// Bit rate of all streams together, in bits per second.
    #[serde(serialize_with = "bounded::whole")]
    pub bitrate: u64,
    /// The video stream that is converted; cover pictures do not count.
    pub video: Option<VideoTrack>,
    /// All audio streams.
    pub audio: Vec<AudioTrack>,
}

/// A video stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VideoTrack {
    /// Codec, by ffprobe's name.
    pub codec: String,
    /// Displayed width in square pixels, after rotation.
    pub width: u32,
    /// Displayed height in square pixels, after rotation.
    pub height: u32,
    /// Average frame rate, in frames per second.
    pub fps: f64,
    /// Pixel format, by ffprobe's name.
    pub pixel_format: String,
    /// Clockwise degrees by which a player turns the picture: 0, 90, 180 or 270.
    pub rotation: u32,
    /// True when the video is interlaced.
    pub interlaced: bool,
    /// True when the video is HDR: its transfer function is PQ or HLG.
    pub hdr: bool,
}

/// An audio stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AudioTrack {
    /// Codec, by ffprobe's name.
    pub codec: String,
    /// Number of channels.
    pub channels: u32,
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Language tag from the container, if any. It is often wrong, so language detection ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// One stream of a source, and its fate in the renditions.
///
/// Chapters and closed captions are listed too. They are not separate streams: chapters have no index, and captions
/// have the index of their video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StreamReport {
    /// Index of the stream in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Kind of content.
    pub kind: StreamKind,
    /// Codec, by ffprobe's name; the container's tag if ffprobe does not know the codec.
    pub codec: String,
    /// Language tag from the container, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Says if the renditions have the stream.
    pub fate: StreamFate,
    /// The reason why the renditions lack the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<DropReason>,
    /// The sound of the stream in the renditions; absent for other streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<SoundReport>,
}

/// The sound of one audio stream in the renditions, measured by EBU R128.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SoundReport {
    /// Number of channels.
    pub channels: u32,
    /// Integrated loudness in LUFS; absent for silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loudness: Option<f64>,
    /// Loudness range in LU; absent for silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loudness_range: Option<f64>,
    /// True peak in dBTP; absent for silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub true_peak: Option<f64>,
    /// Integrated loudness in LUFS before it was changed; absent when it was not changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loudness_before: Option<f64>,
}

named! {
    /// Kind of content of a stream.
    pub enum StreamKind {
        /// Moving or still pictures.
        Video = "video",
        /// Sound.
        Audio = "audio",
        /// Subtitles.
        Subtitle = "subtitle",
        /// Timecode, telemetry and other data.
        Data = "data",
        /// Attached files, such as fonts.
        Attachment = "attachment",
        /// Closed captions inside the video stream.
        Captions = "captions",
        /// Chapter marks.
        Chapters = "chapters",
    }
}

named! {
    /// The fate of a stream in the renditions.
    pub enum StreamFate {
        /// Copied unchanged into every rendition.
        Kept = "kept",
        /// Encoded again. Text subtitles are WebVTT files beside the renditions.
        Converted = "converted",
        /// Absent from the renditions.
        Dropped = "dropped",
    }
}

named! {
    /// The reason why the renditions lack a stream.
    pub enum DropReason {
        /// The codec is not accepted.
        NotAccepted = "not_accepted",
        /// No decoder is known for the codec.
        NoDecoder = "no_decoder",
        /// The stream is declared and has no content.
        Empty = "empty",
        /// The content cannot be decoded.
        Undecodable = "undecodable",
        /// The stream is a still picture, such as a cover.
        Still = "still",
        /// Another video stream is the film.
        OtherVideo = "other_video",
        /// Renditions have fewer audio tracks.
        TooMany = "too_many",
        /// Renditions have no content of this kind.
        NotConverted = "not_converted",
    }
}
