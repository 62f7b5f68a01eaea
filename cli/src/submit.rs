//! `vidp submit`: upload a video.

use crate::{
    client::{Client, Job},
    progress,
};
use anyhow::{Context, Result};
use clap::Args;
use futures_util::TryStreamExt;
use reqwest::{Body, multipart};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

/// Bytes read from the file at once.
const CHUNK: usize = 256 * 1024;

/// The video and what to do with it. What is not given is left to the server's defaults.
#[derive(Args, Default)]
pub struct Submit {
    /// The video
    pub file: PathBuf,
    /// Stages to run: detect, scale, subtitle
    #[arg(long, value_delimiter = ',')]
    pub stages: Vec<String>,
    /// Rungs of the ladder, for example 720p,480p
    #[arg(long, value_delimiter = ',')]
    pub renditions: Vec<String>,
    /// Subtitle formats: srt, vtt, json, txt
    #[arg(long, value_delimiter = ',')]
    pub subtitles: Vec<String>,
    /// The spoken language, for example fr, when it is known
    #[arg(long)]
    pub language: Option<String>,
    /// Write English subtitles whatever is spoken
    #[arg(long)]
    pub translate: bool,
    /// Video codec: h264, h265, av1, vp9
    #[arg(long)]
    pub codec: Option<String>,
    /// Quality, 0 (best) to 51; to 63 for av1 and vp9
    #[arg(long)]
    pub crf: Option<u8>,
    /// Upper bound of each rendition in MB
    #[arg(long)]
    pub max_size_mb: Option<f64>,
    /// Queue: interactive or batch
    #[arg(long)]
    pub lane: Option<String>,
    /// Languages to choose among, for example fr,en
    #[arg(long, value_delimiter = ',')]
    pub expect: Vec<String>,
}

impl Submit {
    /// With nothing but a video.
    pub fn plain(file: &Path) -> Submit {
        Submit {
            file: file.to_owned(),
            ..Submit::default()
        }
    }

    /// Uploads the video, streaming it from the disk, and returns the new job.
    pub async fn upload(&self, client: &Client) -> Result<Job> {
        let shown = self.file.display();
        let file = File::open(&self.file)
            .await
            .with_context(|| format!("open {shown}"))?;
        let meta = file.metadata().await?;
        anyhow::ensure!(meta.is_file(), "{shown} is not a file");
        let bar = progress::upload_bar(meta.len());
        let counted = bar.clone();
        let bytes =
            ReaderStream::with_capacity(file, CHUNK).inspect_ok(move |chunk| counted.inc(chunk.len() as u64));
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let part = multipart::Part::stream_with_length(Body::wrap_stream(bytes), meta.len())
            .file_name(name.into_owned())
            .mime_str(content_type(&self.file))?;
        let form = multipart::Form::new()
            .text("options", self.options().to_string())
            .part("file", part);
        let job = client.create(form).await;
        bar.finish_and_clear();
        job
    }

    fn options(&self) -> Value {
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

/// By the name's end; the server looks into the file itself.
fn content_type(file: &Path) -> &'static str {
    let end = file.extension().unwrap_or_default().to_ascii_lowercase();
    match end.to_str().unwrap_or_default() {
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "mkv" => "video/x-matroska",
        "webm" => "video/webm",
        "avi" => "video/x-msvideo",
        "ts" | "m2ts" => "video/mp2t",
        "mpg" | "mpeg" => "video/mpeg",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_sent() {
        assert_eq!(Submit::plain(Path::new("a.mp4")).options(), json!({}));
        let submit = Submit {
            stages: vec!["scale".to_owned()],
            renditions: vec!["480p".to_owned()],
            crf: Some(30),
            translate: true,
            ..Submit::plain(Path::new("a.mp4"))
        };
        let expected = json!({
            "stages": ["scale"],
            "scale": {"renditions": ["480p"], "crf": 30},
            "subtitle": {"translate": true},
        });
        assert_eq!(submit.options(), expected);
    }
}
