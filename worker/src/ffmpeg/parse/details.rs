use serde::{Deserialize, Serialize};

/// Properties of a video stream that a conversion needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoDetails {
    /// Index of the stream in the file.
    pub index: u32,
    /// Stored width in pixels, before rotation and aspect ratio.
    pub width: u32,
    /// Stored height in pixels, before rotation and aspect ratio.
    pub height: u32,
    /// Width divided by height of one stored pixel.
    pub pixel_aspect: f64,
    /// Bits per second, if the file states it.
    pub bitrate: Option<u64>,
    /// Time of the first packet in seconds; 0 when the file does not state it.
    pub start: f64,
    /// Length in seconds from `start`, if the file states it for this stream.
    pub duration: Option<f64>,
    /// Number of frames, if the file states it.
    pub frames: Option<u64>,
    /// ffprobe's name of the order of fields, for example `progressive` or `tt`, if it is known.
    pub field_order: Option<String>,
    /// Transfer characteristics, for example `bt709`, `smpte2084`.
    pub transfer: Option<String>,
    /// Colour primaries, for example `bt709`, `bt2020`.
    pub primaries: Option<String>,
    /// Matrix coefficients, for example `bt709`, `bt2020nc`.
    pub matrix: Option<String>,
}

/// Properties of an audio stream that a conversion needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AudioDetails {
    /// Index of the stream in the file.
    pub index: u32,
    /// Codec, by ffprobe's name.
    pub codec: String,
    /// Number of channels.
    pub channels: u32,
    /// ffprobe's name of the channel layout, for example `5.1(side)`, if the file states it.
    pub layout: Option<String>,
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Bits per second, if the file states it.
    pub bitrate: Option<u64>,
    /// Time of the first packet in seconds; 0 when the file does not state it.
    pub start: f64,
    /// Length in seconds from `start`, if the file states it for this stream.
    pub duration: Option<f64>,
    /// Language code of two or three lower-case letters.
    pub language: Option<String>,
}
