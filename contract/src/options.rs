use super::{Lane, Stage, Timestamp};
use crate::named::named;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Options of a job. Every field is optional.
///
/// This type ignores unknown fields, because a worker that is one release older must be able to read a newer message.
/// The API refuses unknown fields in requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(description = "Options of a job. Every field is optional; unknown fields are refused.")
)]
#[serde(default)]
pub struct JobOptions {
    /// The stages to run.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub stages: Vec<Stage>,
    /// Options of the `detect` stage.
    pub detect: DetectOptions,
    /// Options of the `scale` stage.
    pub scale: ScaleOptions,
    /// Options of the `subtitle` stage.
    pub subtitle: SubtitleOptions,
    /// The queue that the job's tasks wait in.
    pub lane: Lane,
    /// The caller's own id for this video, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 256))]
    pub external_id: Option<String>,
    /// A JSON object that is stored with the job and returned unchanged.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Days that the job and its files are retained after its end. The server has a default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub retention_days: Option<u32>,
    /// Time until which the job and its files are retained, instead of `retention_days`.
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub expires_at: Option<Timestamp>,
}

impl Default for JobOptions {
    fn default() -> Self {
        JobOptions {
            stages: Stage::ALL.to_vec(),
            detect: DetectOptions::default(),
            scale: ScaleOptions::default(),
            subtitle: SubtitleOptions::default(),
            lane: Lane::default(),
            external_id: None,
            metadata: serde_json::Map::new(),
            retention_days: None,
            expires_at: None,
        }
    }
}

/// Options of the `detect` stage, which finds the spoken language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct DetectOptions {
    /// Maximum seconds of speech to analyse, 1 to 600.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 600))]
    pub duration: f64,
    /// Report the probability of every language instead of the five most likely.
    pub test_all_languages: bool,
    /// ISO 639-1 codes of the languages to choose from; empty means all. ISO 639-2 and 639-3 codes and BCP 47 tags are accepted
    /// too, and stored as these codes.
    #[cfg_attr(feature = "openapi", schema(schema_with = super::language::codes_schema))]
    pub expected_languages: Vec<String>,
}

impl Default for DetectOptions {
    fn default() -> Self {
        DetectOptions {
            duration: 30.0,
            test_all_languages: true,
            expected_languages: Vec::new(),
        }
    }
}

/// Options of the `scale` stage, which makes smaller renditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ScaleOptions {
    /// The renditions to make; those larger than the source are skipped.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub renditions: Vec<Rendition>,
    /// Video codec of every rendition.
    pub codec: Codec,
    /// Constant rate factor, 0 (best) to 51 for H.264 and H.265, to 63 for VP9 and AV1.
    #[cfg_attr(feature = "openapi", schema(maximum = 63))]
    pub crf: u8,
    /// Maximum size of each rendition in MB (1,000,000 bytes). Encodes in two passes and ignores `crf`.
    #[cfg_attr(feature = "openapi", schema(minimum = 0.01, maximum = 100_000))]
    pub max_size_mb: Option<f64>,
    /// Copy the picture of the source, instead of encoding it, into the rendition of the same size. It must be H.264, as the
    /// renditions, with at most the usual bit rate for its size and for `crf`, a key frame every 2 s, and no damage.
    pub copy: bool,
    /// Make the renditions streamable by HLS and DASH too. Stores about as many bytes again.
    pub stream: bool,
    /// Channels of the sound.
    pub audio_layout: AudioLayout,
    /// Loudness of each audio track in LUFS (EBU R128), for example -23 for television, -16 for podcasts, -14 for streaming. Without
    /// the option the loudness does not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = -31, maximum = -9))]
    pub loudness: Option<f64>,
}

impl ScaleOptions {
    /// The values of `loudness`, in LUFS.
    pub const LOUDNESS: RangeInclusive<f64> = -31.0..=-9.0;
}

impl Default for ScaleOptions {
    fn default() -> Self {
        ScaleOptions {
            renditions: vec![Rendition::P720, Rendition::P480, Rendition::P360],
            codec: Codec::H264,
            crf: 23,
            max_size_mb: None,
            copy: true,
            stream: false,
            audio_layout: AudioLayout::Stereo,
            loudness: None,
        }
    }
}

named! {
    /// A rendition, named by the short side of its picture in pixels.
    pub enum Rendition {
        /// 144 pixels.
        P144 = "144p",
        /// 240 pixels.
        P240 = "240p",
        /// 360 pixels.
        P360 = "360p",
        /// 480 pixels.
        P480 = "480p",
        /// 720 pixels.
        P720 = "720p",
        /// 1080 pixels.
        P1080 = "1080p",
    }
}

impl Rendition {
    /// The short side in pixels.
    pub const fn short_side(self) -> u32 {
        match self {
            Rendition::P144 => 144,
            Rendition::P240 => 240,
            Rendition::P360 => 360,
            Rendition::P480 => 480,
            Rendition::P720 => 720,
            Rendition::P1080 => 1080,
        }
    }
}

named! {
    /// The video codec of the renditions.
    #[derive(Default)]
    pub enum Codec {
        /// H.264 with AAC in MP4, which plays everywhere.
        #[default]
        H264 = "h264",
        /// H.265 with AAC in MP4.
        H265 = "h265",
        /// AV1 with Opus in MP4.
        Av1 = "av1",
        /// VP9 with Opus in WebM.
        Vp9 = "vp9",
    }
}

named! {
    /// The channels of the sound in the renditions.
    #[derive(Default)]
    pub enum AudioLayout {
        /// Two channels, which plays everywhere.
        #[default]
        Stereo = "stereo",
        /// 5.1 for a track with surround sound, and two channels for any other.
        Source = "source",
    }
}

/// Options of the `subtitle` stage, which makes a transcript and captions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct SubtitleOptions {
    /// ISO 639-1 code of the spoken language, or `auto`. A code has priority over the detected language. ISO 639-2 and 639-3 codes
    /// and BCP 47 tags are accepted too, and stored as this code.
    #[cfg_attr(feature = "openapi", schema(schema_with = super::language::code_or_auto_schema))]
    pub language: String,
    /// The files to write.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub formats: Vec<SubtitleFormat>,
    /// Translate the speech into English.
    pub translate: bool,
}

impl Default for SubtitleOptions {
    fn default() -> Self {
        SubtitleOptions {
            language: "auto".to_owned(),
            formats: vec![SubtitleFormat::Srt, SubtitleFormat::Vtt, SubtitleFormat::Json],
            translate: false,
        }
    }
}

named! {
    /// A caption or transcript file format.
    pub enum SubtitleFormat {
        /// SubRip.
        Srt = "srt",
        /// WebVTT.
        Vtt = "vtt",
        /// JSON: segments and words with times.
        Json = "json",
        /// Plain text.
        Txt = "txt",
    }
}
