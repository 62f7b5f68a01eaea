//! Job options on the command line.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use serde_json::{Map, Value, json};
use std::str::FromStr;
use vidp_contract::{AudioLayout, Codec, Lane, Rendition, ScaleOptions, Stage, SubtitleFormat};

/// Job options. An option that is not given is not sent, so that the server's default applies.
#[derive(Args, Default)]
#[command(next_help_heading = "Job options")]
pub struct Options {
    /// Stages to run
    #[arg(long, value_delimiter = ',', value_parser = named::<Stage>(Stage::ALL.map(Stage::as_str)))]
    pub stages: Vec<Stage>,
    /// Renditions to make, for example 720p,480p
    #[arg(long, value_delimiter = ',', value_parser = named::<Rendition>(Rendition::ALL.map(Rendition::as_str)))]
    pub renditions: Vec<Rendition>,
    /// Subtitle formats
    #[arg(
        long,
        value_delimiter = ',',
        value_parser = named::<SubtitleFormat>(SubtitleFormat::ALL.map(SubtitleFormat::as_str))
    )]
    pub subtitles: Vec<SubtitleFormat>,
    /// Spoken language if known, for example fr or pt-BR
    #[arg(long)]
    pub language: Option<String>,
    /// Write English subtitles for any spoken language
    #[arg(long)]
    pub translate: bool,
    /// Video codec
    #[arg(long, value_parser = named::<Codec>(Codec::ALL.map(Codec::as_str)))]
    pub codec: Option<Codec>,
    /// Constant rate factor: 0 (best quality) to 51, or to 63 for av1 and vp9
    #[arg(long)]
    pub crf: Option<u8>,
    /// Maximum size of each rendition in MB
    #[arg(long, value_parser = size, allow_negative_numbers = true)]
    pub max_size_mb: Option<f64>,
    /// Encode every picture, also one that could be copied from the source
    #[arg(long)]
    pub no_copy: bool,
    /// Make the renditions streamable by HLS and DASH too
    #[arg(long)]
    pub stream: bool,
    /// Channels of the sound: 5.1 stays 5.1 with `source`
    #[arg(long, value_parser = named::<AudioLayout>(AudioLayout::ALL.map(AudioLayout::as_str)))]
    pub audio_layout: Option<AudioLayout>,
    /// Loudness of the sound in LUFS, for example -16
    #[arg(long, value_parser = loudness, allow_negative_numbers = true)]
    pub loudness: Option<f64>,
    /// Queue to wait in
    #[arg(long, value_parser = named::<Lane>(Lane::ALL.map(Lane::as_str)))]
    pub lane: Option<Lane>,
    /// Languages to choose among, for example fr,en
    #[arg(long, value_delimiter = ',')]
    pub expect: Vec<String>,
}

/// Parses a value of the contract by its name; `--help` lists the names.
pub(super) fn named<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

fn loudness(text: &str) -> Result<f64, String> {
    let loudness = text.parse().ok();
    let loudness = loudness.filter(|loudness: &f64| ScaleOptions::LOUDNESS.contains(loudness));
    loudness.ok_or_else(|| "expected a number from -31 to -9".to_owned())
}

fn size(text: &str) -> Result<f64, String> {
    let size = text.parse().ok();
    let size = size.filter(|size: &f64| size.is_finite() && *size > 0.0);
    size.ok_or_else(|| "expected a number above 0".to_owned())
}

impl Options {
    /// The given options as a document of the API.
    pub fn document(&self) -> Value {
        let mut options = Map::new();
        let mut set = |stage: &str, name: &str, value: Value| {
            let group = options.entry(stage).or_insert_with(|| json!({}));
            group[name] = value;
        };
        if !self.expect.is_empty() {
            set("detect", "expected_languages", json!(self.expect));
        }
        if !self.renditions.is_empty() {
            set("scale", "renditions", json!(self.renditions));
        }
        if let Some(codec) = &self.codec {
            set("scale", "codec", json!(codec));
        }
        if let Some(crf) = self.crf {
            set("scale", "crf", json!(crf));
        }
        if let Some(max) = self.max_size_mb {
            set("scale", "max_size_mb", json!(max));
        }
        if self.no_copy {
            set("scale", "copy", json!(false));
        }
        if self.stream {
            set("scale", "stream", json!(true));
        }
        if let Some(layout) = &self.audio_layout {
            set("scale", "audio_layout", json!(layout));
        }
        if let Some(loudness) = self.loudness {
            set("scale", "loudness", json!(loudness));
        }
        if !self.subtitles.is_empty() {
            set("subtitle", "formats", json!(self.subtitles));
        }
        if let Some(language) = &self.language {
            set("subtitle", "language", json!(language));
        }
        if self.translate {
            set("subtitle", "translate", json!(true));
        }
        if !self.stages.is_empty() {
            options.insert("stages".to_owned(), json!(self.stages));
        }
        if let Some(lane) = &self.lane {
            options.insert("lane".to_owned(), json!(lane));
        }
        Value::Object(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use vidp_contract::JobOptions;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(line: &str) -> Result<Options, String> {
        let words = ["vidp"].into_iter().chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        Ok(line.options)
    }

    #[test]
    fn only_given_options_are_sent() {
        assert_eq!(Options::default().document(), json!({}));
        let options =
            parsed("--stages=scale --renditions=480p --crf=30 --no-copy --stream --translate").unwrap();
        let expected = json!({
            "stages": ["scale"],
            "scale": {"renditions": ["480p"], "crf": 30, "copy": false, "stream": true},
            "subtitle": {"translate": true},
        });
        assert_eq!(options.document(), expected);
    }

    #[test]
    fn every_value_of_the_contract_is_accepted_and_understood() {
        let line = format!(
            "--stages={} --renditions={} --subtitles={} --codec={} --audio-layout={} --loudness=-16 --lane={}",
            Stage::ALL.map(Stage::as_str).join(","),
            Rendition::ALL.map(Rendition::as_str).join(","),
            SubtitleFormat::ALL.map(SubtitleFormat::as_str).join(","),
            Codec::Av1,
            AudioLayout::Source,
            Lane::Batch,
        );
        let options: JobOptions = serde_json::from_value(parsed(&line).unwrap().document()).unwrap();
        assert_eq!(options.stages, Stage::ALL);
        assert_eq!(options.scale.renditions, Rendition::ALL);
        assert_eq!(options.subtitle.formats, SubtitleFormat::ALL);
        assert_eq!((options.scale.codec, options.lane), (Codec::Av1, Lane::Batch));
        assert_eq!(options.scale.audio_layout, AudioLayout::Source);
        assert_eq!(options.scale.loudness, Some(-16.0));
    }

    #[test]
    fn a_wrong_value_is_answered_with_the_right_ones() {
        let error = parsed("--codec=mpeg1").err().unwrap();
        assert!(error.contains("h264, h265, av1, vp9"), "{error}");
        assert!(parsed("--loudness=0").is_err() && parsed("--loudness=loud").is_err());
    }
}
