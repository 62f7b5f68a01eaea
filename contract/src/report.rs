use super::MediaFacts;
use serde::{Deserialize, Serialize};

/// A language: ISO 639 code and English name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Language {
    /// The code whisper uses, ISO 639-1 where there is one.
    pub code: String,
    /// English name.
    pub name: String,
}

/// What `detect` found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DetectReport {
    /// The most likely language.
    pub language: Language,
    /// Its probability, 0 to 1. Below 0.8 it is a guess that a person should look at.
    pub confidence: f64,
    /// Most likely first: all languages, or five.
    pub probabilities: Vec<LanguageProbability>,
    /// The parts of the track that were listened to.
    pub windows: Vec<LanguageWindow>,
    /// Bytes of the source that were read.
    pub bytes_read: u64,
}

/// One language's probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LanguageProbability {
    /// ISO code.
    pub code: String,
    /// 0 to 1.
    pub probability: f64,
}

/// A part of the track that was listened to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LanguageWindow {
    /// Seconds from the start of the track.
    pub start: f64,
    /// Seconds.
    pub duration: f64,
    /// Seconds of it in which somebody speaks.
    pub speech_seconds: f64,
    /// The most likely language there; absent without speech.
    pub language: Option<String>,
    /// Its probability, 0 to 1; absent without speech.
    pub probability: Option<f64>,
}

/// What `scale` made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScaleReport {
    /// The source's facts.
    pub media: MediaFacts,
    /// One per rendition, largest first.
    pub renditions: Vec<RenditionReport>,
}

/// One rendition, as probed after it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenditionReport {
    /// File name among the outputs.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its size over the source's.
    pub ratio: f64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Video codec.
    pub video_codec: String,
    /// Audio codec; absent when the source has no audio.
    pub audio_codec: Option<String>,
    /// Bits per second over all streams.
    pub bitrate: u64,
    /// Seconds.
    pub duration: f64,
}

/// What `subtitle` made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubtitleReport {
    /// The language spoken.
    pub language: Language,
    /// The text is an English translation.
    pub translated: bool,
    /// Seconds of speech found.
    pub speech_seconds: f64,
    /// Number of cues.
    pub cues: u32,
    /// Number of words.
    pub words: u32,
    /// Share of the cues that keep every caption rule, 0 to 1.
    pub rules_kept: f64,
}
