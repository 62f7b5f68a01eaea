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
    pub size: u64,
    /// Bit rate of all streams together, in bits per second.
    pub bitrate: u64,
    /// The first video stream; cover pictures do not count.
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
