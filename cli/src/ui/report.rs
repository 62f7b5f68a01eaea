//! What a person reads at the end of a job.

use crate::{
    client::{Client, Job, Stage},
    fetch,
    output::{self, print as print_line},
};
use console::truncate_str;
use serde_json::Value;
use std::path::Path;

/// Below this the language is a guess.
const SURE: f64 = 0.8;
/// Subtitle lines shown.
const LINES: usize = 4;
/// Characters of each: a transcript without times is one line.
const WIDTH: usize = 76;

/// Prints the report. `fetched` is where the outputs were downloaded to.
pub async fn print(client: &Client, job: &Job, fetched: Option<&Path>) {
    let name = output::plain(job.title());
    print_line(format!(
        "{name}: {}  (job {})",
        output::status(&job.status),
        job.id
    ));
    for (name, stage) in &job.stages {
        match (name.as_str(), stage.status.as_str()) {
            ("detect", "succeeded") => language(&stage.result),
            ("scale", "succeeded") => renditions(&stage.result),
            ("subtitle", "succeeded") => subtitles(client, stage).await,
            _ => ended(name, stage),
        }
    }
    files(client, job, fetched);
}

fn language(result: &Value) {
    let text = |field: &str| result["language"][field].as_str().unwrap_or("?");
    let confidence = result["confidence"].as_f64().unwrap_or(0.0);
    let guess = if confidence < SURE {
        ", a guess: please check"
    } else {
        ""
    };
    line(
        "language",
        &format!(
            "{} ({}), {:.0} %{guess}",
            text("name"),
            text("code"),
            confidence * 100.0
        ),
    );
}

fn renditions(result: &Value) {
    let renditions = result["renditions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (i, rendition) in renditions.iter().enumerate() {
        let text = |field: &str| rendition[field].as_str().unwrap_or("");
        let codecs: Vec<_> = ["video_codec", "audio_codec"]
            .map(text)
            .into_iter()
            .filter(|c| !c.is_empty())
            .collect();
        let size = format!("{}x{}", rendition["width"], rendition["height"]);
        line(
            if i == 0 { "renditions" } else { "" },
            &format!(
                "{:<10} {size:<10} {:>9}  {:>3.0} % of the source  {}",
                text("name"),
                megabytes(rendition["size"].as_u64().unwrap_or(0)),
                rendition["ratio"].as_f64().unwrap_or(0.0) * 100.0,
                codecs.join(" + "),
            ),
        );
    }
}

async fn subtitles(client: &Client, stage: &Stage) {
    let result = &stage.result;
    let translated = if result["translated"] == true {
        ", translated to English"
    } else {
        ""
    };
    let language = result["language"]["name"].as_str().unwrap_or("?");
    line(
        "subtitles",
        &format!(
            "{language}{translated}, {} cues, {} words",
            result["cues"], result["words"]
        ),
    );
    let Some(captions) = [".srt", ".vtt", ".txt"]
        .iter()
        .find_map(|end| stage.outputs.iter().find(|output| output.name.ends_with(end)))
    else {
        return;
    };
    // The report is worth printing without them.
    let text = fetch::text(client, captions).await.unwrap_or_default();
    let mut lines = spoken_lines(&text);
    for text in lines.by_ref().take(LINES) {
        line("", &format!("  {}", truncate_str(text, WIDTH, "…")));
    }
    if lines.next().is_some() {
        line("", "  …");
    }
}

/// The lines of a caption file that are neither numbers nor times nor headers.
fn spoken_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| {
        !line.is_empty()
            && !line.contains("-->")
            && !line.starts_with("WEBVTT")
            && !line.chars().all(|c| c.is_ascii_digit())
    })
}

/// A stage that made nothing.
fn ended(name: &str, stage: &Stage) {
    let reason = match &stage.error {
        Some(error) => match &error.detail {
            Some(detail) => format!(": {detail} ({})", error.code),
            None => format!(": {}", error.code),
        },
        None => String::new(),
    };
    line(name, &format!("{}{reason}", stage.status));
}

fn files(client: &Client, job: &Job, fetched: Option<&Path>) {
    if let Some(dir) = fetched {
        line("files", &dir.display().to_string());
        return;
    }
    let outputs = job.stages.values().flat_map(|stage| &stage.outputs);
    if output::is_terminal() {
        let (count, id) = (outputs.count(), &job.id);
        if count > 0 {
            line("files", &format!("{count}; to download them:"));
            line("", &format!("vidp get {id} --out DIR"));
        }
        return;
    }
    for (i, output) in outputs.enumerate() {
        line(if i == 0 { "files" } else { "" }, &client.url(&output.url));
    }
}

fn line(label: &str, text: &str) {
    print_line(format!("  {label:<11} {text}"));
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::spoken_lines;

    #[test]
    fn only_what_is_said_is_shown() {
        let srt = "1\n00:00:00,000 --> 00:00:02,000\nHello there.\nHow are you?\n\n2\n";
        let lines: Vec<_> = spoken_lines(srt).collect();
        assert_eq!(lines, ["Hello there.", "How are you?"]);
    }
}
