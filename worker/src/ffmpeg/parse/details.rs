/// What converting a video stream takes.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoDetails {
    /// Index of the stream in the file.
    pub index: u32,
    /// Pixels as stored: before rotation and aspect ratio.
    pub width: u32,
    /// Pixels as stored: before rotation and aspect ratio.
    pub height: u32,
    /// Width over height of one stored pixel.
    pub pixel_aspect: f64,
    /// Bits per second, when the file says so.
    pub bitrate: Option<u64>,
    /// Seconds, when the file says so for this stream.
    pub duration: Option<f64>,
    /// Number of frames, when the file says so.
    pub frames: Option<u64>,
    /// Transfer characteristics, for example `bt709`, `smpte2084`.
    pub transfer: Option<String>,
    /// Colour primaries, for example `bt709`, `bt2020`.
    pub primaries: Option<String>,
    /// Matrix coefficients, for example `bt709`, `bt2020nc`.
    pub matrix: Option<String>,
}

/// What converting an audio stream takes.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioDetails {
    /// Index of the stream in the file.
    pub index: u32,
    /// Bits per second, when the file says so.
    pub bitrate: Option<u64>,
    /// Seconds, when the file says so for this stream.
    pub duration: Option<f64>,
    /// Two or three lower-case letters.
    pub language: Option<String>,
}
