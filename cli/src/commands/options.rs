//! What to do with a video.

use clap::Args;
use serde_json::{Map, Value, json};

/// What is not given is left to the server's defaults.
#[derive(Args, Default)]
#[command(next_help_heading = "What to do")]
pub struct Options {
    /// Stages to run
    #[arg(long, value_delimiter = ',', value_parser = ["detect", "scale", "subtitle"])]
    pub stages: Vec<String>,
    /// Rungs of the ladder, for example 720p,480p
    #[arg(long, value_delimiter = ',', value_parser = ["1080p", "720p", "480p", "360p", "240p", "144p"])]
    pub renditions: Vec<String>,
    /// Subtitle formats
    #[arg(long, value_delimiter = ',', value_parser = ["srt", "vtt", "json", "txt"])]
    pub subtitles: Vec<String>,
    /// The spoken language, for example fr, when it is known
    #[arg(long)]
    pub language: Option<String>,
    /// Write English subtitles whatever is spoken
    #[arg(long)]
    pub translate: bool,
    /// Video codec
    #[arg(long, value_parser = ["h264", "h265", "av1", "vp9"])]
    pub codec: Option<String>,
    /// Quality, 0 (best) to 51; to 63 for av1 and vp9
    #[arg(long)]
    pub crf: Option<u8>,
    /// Upper bound of each rendition in MB
    #[arg(long, value_parser = size, allow_negative_numbers = true)]
    pub max_size_mb: Option<f64>,
    /// Queue
    #[arg(long, value_parser = ["interactive", "batch"])]
    pub lane: Option<String>,
    /// Languages to choose among, for example fr,en
    #[arg(long, value_delimiter = ',')]
    pub expect: Vec<String>,
}

fn size(text: &str) -> Result<f64, String> {
    let size = text.parse().ok();
    let size = size.filter(|size: &f64| size.is_finite() && *size > 0.0);
    size.ok_or_else(|| "expected a number above 0".to_owned())
}

impl Options {
    /// The options as the API takes them.
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

    #[test]
    fn only_what_is_given_is_sent() {
        assert_eq!(Options::default().document(), json!({}));
        let options = Options {
            stages: vec!["scale".to_owned()],
            renditions: vec!["480p".to_owned()],
            crf: Some(30),
            translate: true,
            ..Options::default()
        };
        let expected = json!({
            "stages": ["scale"],
            "scale": {"renditions": ["480p"], "crf": 30},
            "subtitle": {"translate": true},
        });
        assert_eq!(options.document(), expected);
    }
}
