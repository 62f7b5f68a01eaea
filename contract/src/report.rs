use super::{MediaFacts, StreamReport, check::bounded};
use serde::{Deserialize, Serialize};

/// A language, with its ISO 639 code and English name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Language {
    /// Whisper's code of the language, ISO 639-1 if one exists.
    pub code: String,
    /// English name.
    pub name: String,
}

/// Report of the `detect` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DetectReport {
    /// The most likely language.
    pub language: Language,
    /// Probability of that language, 0 to 1. Below 0.8 a person should check the result.
    pub confidence: f64,
    /// Probabilities of all languages, or of the five most likely; the highest first.
    pub probabilities: Vec<LanguageProbability>,
    /// The parts of the audio track that were analysed.
    pub windows: Vec<LanguageWindow>,
    /// Bytes of the source that were read.
    #[serde(serialize_with = "bounded::whole")]
    pub bytes_read: u64,
    /// Other languages that were heard in parts of the track, each with its highest probability in one part.
    #[serde(default)]
    pub other_languages: Vec<LanguageProbability>,
    /// Index of the audio stream that was listened to, among all streams of the file.
    pub track: Option<u32>,
    /// Number of the only channel that was listened to, from 0; absent when all channels were mixed.
    pub channel: Option<u32>,
    /// Packets of the audio that could not be decoded, in the parts that were analysed.
    #[serde(default, serialize_with = "bounded::whole")]
    pub decode_errors: u64,
}

/// Probability of one language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LanguageProbability {
    /// ISO code of the language.
    pub code: String,
    /// Probability, 0 to 1.
    pub probability: f64,
}

/// A part of the audio track that was analysed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LanguageWindow {
    /// Start of the part, in seconds from the start of the track.
    pub start: f64,
    /// Length of the part in seconds.
    pub duration: f64,
    /// Seconds of speech in the part.
    pub speech_seconds: f64,
    /// Most likely language of the part; absent without speech.
    pub language: Option<String>,
    /// Probability of that language, 0 to 1; absent without speech.
    pub probability: Option<f64>,
}

/// Report of the `scale` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScaleReport {
    /// Properties of the source.
    pub media: MediaFacts,
    /// The renditions, largest first.
    pub renditions: Vec<RenditionReport>,
    /// The streams of the source, at most 64, and their fate. Reports of earlier releases have none.
    #[serde(default)]
    pub streams: Vec<StreamReport>,
    /// The text subtitles of the source, at most 16. Reports of earlier releases have none.
    #[serde(default)]
    pub captions: Vec<CaptionsReport>,
    /// Number of damaged packets and frames of the source that were skipped or repaired.
    #[serde(default, serialize_with = "bounded::whole")]
    pub decode_errors: u64,
}

/// A text subtitle track of the source, as a WebVTT file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaptionsReport {
    /// Name of the output file.
    pub name: String,
    /// Language tag from the container, if any.
    pub language: Option<String>,
    /// True for subtitles that show only what viewers would not understand, such as foreign speech and signs.
    pub forced: bool,
    /// True for subtitles that describe sounds too, for viewers who do not hear them (SDH).
    pub hearing_impaired: bool,
}

/// Properties of one rendition, as probed after it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenditionReport {
    /// Name of the output file.
    pub name: String,
    /// Size in bytes.
    #[serde(serialize_with = "bounded::whole")]
    pub size: u64,
    /// Size divided by the size of the source.
    pub ratio: f64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Video codec.
    pub video_codec: String,
    /// Audio codec; absent when the source has no audio.
    pub audio_codec: Option<String>,
    /// Bit rate of all streams together, in bits per second.
    #[serde(serialize_with = "bounded::whole")]
    pub bitrate: u64,
    /// Duration in seconds.
    pub duration: f64,
    /// Number of pictures; absent when the container does not state it, as in WebM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// The way in which the picture was made.
    #[serde(default)]
    pub made: Made,
}

/// The way in which the picture of a rendition was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// Encoded from the decoded source.
    #[default]
    Encoded,
    /// Copied from the source without a change.
    Copied,
}

/// Report of the `subtitle` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubtitleReport {
    /// The spoken language.
    pub language: Language,
    /// True when the text is an English translation.
    pub translated: bool,
    /// Seconds of speech in the audio track.
    pub speech_seconds: f64,
    /// Number of cues.
    pub cues: u32,
    /// Number of words.
    pub words: u32,
    /// Share of the cues that obey every caption rule, 0 to 1.
    pub rules_kept: f64,
    /// Other languages that were heard in windows of the track, each with its highest probability in one window.
    #[serde(default)]
    pub other_languages: Vec<LanguageProbability>,
    /// Index of the audio stream that was transcribed, among all streams of the file.
    pub track: Option<u32>,
    /// Number of the only channel that was listened to, from 0; absent when all channels were mixed.
    pub channel: Option<u32>,
    /// Packets of the audio that could not be decoded.
    #[serde(default, serialize_with = "bounded::whole")]
    pub decode_errors: u64,
}
