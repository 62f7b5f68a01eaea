/// Properties of a video stream that a conversion needs.
#[derive(Clone, Debug, PartialEq)]
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
    /// Duration in seconds, if the file states it for this stream.
    pub duration: Option<f64>,
    /// Number of frames, if the file states it.
    pub frames: Option<u64>,
    /// Transfer characteristics, for example `bt709`, `smpte2084`.
    pub transfer: Option<String>,
    /// Colour primaries, for example `bt709`, `bt2020`.
    pub primaries: Option<String>,
    /// Matrix coefficients, for example `bt709`, `bt2020nc`.
    pub matrix: Option<String>,
}

/// Properties of an audio stream that a conversion needs.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioDetails {
    /// Index of the stream in the file.
    pub index: u32,
    /// Bits per second, if the file states it.
    pub bitrate: Option<u64>,
    /// Duration in seconds, if the file states it for this stream.
    pub duration: Option<f64>,
    /// Language code of two or three lower-case letters.
    pub language: Option<String>,
}
