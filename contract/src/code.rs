use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a stage failed. Shown to users; the names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// Not a media file, or a container or codec that is not accepted.
    UnsupportedMedia,
    /// A media file that cannot be decoded, or not to its end.
    DamagedMedia,
    /// There is no picture to scale.
    NoVideoStream,
    /// More pixels, streams or bytes than the limits allow.
    MediaTooLarge,
    /// Longer than the limits allow.
    MediaTooLong,
    /// The work took longer than its limit, or waited past its deadline.
    TimedOut,
    /// The source object is not in the store.
    SourceMissing,
    /// The source object is not the one that was uploaded: its SHA-256 differs.
    SourceCorrupt,
    /// Every attempt ended with an error that might have passed.
    AttemptsExhausted,
    /// Every attempt took its worker down with it.
    WorkerDied,
    /// Somebody cancelled the job.
    Cancelled,
    /// A fault of VidP's own.
    Internal,
}

/// Why a stage had nothing to do. Not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipCode {
    /// The file has no audio track.
    NoAudio,
    /// The audio track has no speech.
    NoSpeech,
}

impl FailureCode {
    /// Every code.
    pub const ALL: [FailureCode; 12] = [
        FailureCode::UnsupportedMedia,
        FailureCode::DamagedMedia,
        FailureCode::NoVideoStream,
        FailureCode::MediaTooLarge,
        FailureCode::MediaTooLong,
        FailureCode::TimedOut,
        FailureCode::SourceMissing,
        FailureCode::SourceCorrupt,
        FailureCode::AttemptsExhausted,
        FailureCode::WorkerDied,
        FailureCode::Cancelled,
        FailureCode::Internal,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            FailureCode::UnsupportedMedia => "unsupported_media",
            FailureCode::DamagedMedia => "damaged_media",
            FailureCode::NoVideoStream => "no_video_stream",
            FailureCode::MediaTooLarge => "media_too_large",
            FailureCode::MediaTooLong => "media_too_long",
            FailureCode::TimedOut => "timed_out",
            FailureCode::SourceMissing => "source_missing",
            FailureCode::SourceCorrupt => "source_corrupt",
            FailureCode::AttemptsExhausted => "attempts_exhausted",
            FailureCode::WorkerDied => "worker_died",
            FailureCode::Cancelled => "cancelled",
            FailureCode::Internal => "internal",
        }
    }
}

impl SkipCode {
    /// Every code.
    pub const ALL: [SkipCode; 2] = [SkipCode::NoAudio, SkipCode::NoSpeech];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            SkipCode::NoAudio => "no_audio",
            SkipCode::NoSpeech => "no_speech",
        }
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SkipCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
