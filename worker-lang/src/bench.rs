//! The `bench` command: runs a stage on local files and measures its time.

use crate::{config::Role, detect, model::engine::Engine, subtitle, text::transcript::join};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use vidp_contract::{DetectOptions, SubtitleOptions};
use vidp_worker::{TaskError, ffmpeg::Input};

/// Runs the role's stage on each file and prints one line of JSON per file.
///
/// The time in `seconds` does not include loading the model. A file that fails has an `error` in its line.
pub async fn run(engine: Arc<Engine>, role: Role, files: Vec<PathBuf>) {
    for file in files {
        let started = Instant::now();
        let result = match role {
            Role::Detect => detect(engine.clone(), &file).await,
            Role::Subtitle => subtitle(engine.clone(), &file, started).await,
        };
        let mut line = result.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        line["file"] = json!(file);
        line["seconds"] = json!(started.elapsed().as_secs_f64());
        println!("{line}");
    }
}

async fn detect(engine: Arc<Engine>, file: &Path) -> Result<Value, TaskError> {
    let (options, cancel) = (DetectOptions::default(), CancellationToken::new());
    let report = detect::detect(engine, Input::File(file), &options, |_| {}, &cancel).await?;
    Ok(json!({ "language": report.language.code, "confidence": report.confidence }))
}

async fn subtitle(engine: Arc<Engine>, file: &Path, started: Instant) -> Result<Value, TaskError> {
    let (options, cancel) = (SubtitleOptions::default(), CancellationToken::new());
    let captioned = subtitle::transcribe(engine, Input::File(file), &options, |_, _| {}, &cancel).await?;
    let seconds = started.elapsed().as_secs_f64();
    let (report, _) = subtitle::caption(&captioned, &options);
    let transcript = captioned.transcript;
    let words = transcript.segments.iter().flat_map(|segment| &segment.words);
    Ok(json!({
        "language": transcript.language,
        "duration": transcript.duration,
        "speed": transcript.duration / seconds,
        "rules_kept": report.rules_kept,
        "text": join(words),
    }))
}
