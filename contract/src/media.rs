use serde::{Deserialize, Serialize};

/// What a probe says of a media file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MediaFacts {
    /// Container, as ffprobe names it.
    pub container: String,
    /// Seconds.
    pub duration: f64,
    /// Bytes.
    pub size: u64,
    /// Bits per second over all streams.
    pub bitrate: u64,
    /// The first real video stream; cover pictures do not count.
    pub video: Option<VideoTrack>,
    /// Every audio stream.
    pub audio: Vec<AudioTrack>,
}

/// A video stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VideoTrack {
    /// Codec, as ffprobe names it.
    pub codec: String,
    /// Pixels as shown: after rotation, with square pixels.
    pub width: u32,
    /// Pixels as shown: after rotation, with square pixels.
    pub height: u32,
    /// Average frames per second.
    pub fps: f64,
    /// Pixel format, as ffprobe names it.
    pub pixel_format: String,
    /// Clockwise degrees by which a player turns the picture: 0, 90, 180 or 270.
    pub rotation: u32,
    /// Frames are made of two fields.
    pub interlaced: bool,
    /// PQ or HLG transfer.
    pub hdr: bool,
}

/// An audio stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AudioTrack {
    /// Codec, as ffprobe names it.
    pub codec: String,
    /// Channels.
    pub channels: u32,
    /// Samples per second.
    pub sample_rate: u32,
    /// Language tag of the container, if any. Often wrong: never used instead of listening.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}
