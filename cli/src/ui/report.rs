//! The report that a person reads when a job has ended.

use super::output::{self, print as print_line};
use crate::client::{Client, Job, StageState};
use console::truncate_str;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use vidp_contract::{DetectReport, Made, RenditionReport, ScaleReport, Stage, SubtitleReport};

/// Below this confidence the language is a guess.
const MIN_CONFIDENCE: f64 = 0.8;
/// Number of subtitle lines shown.
const SUBTITLE_LINES: usize = 4;
/// Characters shown per line: a transcript without times is one long line.
const LINE_WIDTH: usize = 76;

/// Prints the report of a job. `downloaded` is the folder with the outputs, if they were downloaded.
pub async fn print(client: &Client, job: &Job, downloaded: Option<&Path>) {
    let name = output::printable(job.title());
    print_line(format!(
        "{name}: {}  (job {})",
        output::status(&job.status),
        job.id
    ));
    for (name, stage) in &job.stages {
        let succeeded = stage.status == "succeeded";
        match name.parse() {
            Ok(Stage::Detect) if succeeded => language(&stage.result),
            Ok(Stage::Scale) if succeeded => renditions(&stage.result),
            Ok(Stage::Subtitle) if succeeded => subtitles(client, stage).await,
            _ => line(name, &outcome(stage)),
        }
    }
    files(client, job, downloaded);
}

/// Reads a stage's report. One that this program cannot read, of a newer server, is returned as text.
fn report<T: for<'a> Deserialize<'a>>(result: &Value) -> Result<T, String> {
    T::deserialize(result).map_err(|_| output::printable(&result.to_string()))
}

fn language(result: &Value) {
    let text = match report(result) {
        Ok(report) => language_text(&report),
        Err(text) => text,
    };
    line("language", &text);
}

fn language_text(report: &DetectReport) -> String {
    let guess = match report.confidence < MIN_CONFIDENCE {
        true => ", a guess: please check",
        false => "",
    };
    let (name, code) = (&report.language.name, &report.language.code);
    format!("{name} ({code}), {:.0} %{guess}", report.confidence * 100.0)
}

fn renditions(result: &Value) {
    let report: ScaleReport = match report(result) {
        Ok(report) => report,
        Err(text) => return line("renditions", &text),
    };
    for (i, rendition) in report.renditions.iter().enumerate() {
        line(if i == 0 { "renditions" } else { "" }, &rendition_text(rendition));
    }
}

fn rendition_text(rendition: &RenditionReport) -> String {
    let codecs = match &rendition.audio_codec {
        Some(audio) => format!("{} + {audio}", rendition.video_codec),
        None => rendition.video_codec.clone(),
    };
    let made = match rendition.made {
        Made::Copied => ", picture copied",
        Made::Encoded => "",
    };
    format!(
        "{:<10} {:<10} {:>9}  {:>3.0} % of the source  {codecs}{made}",
        rendition.name,
        format!("{}x{}", rendition.width, rendition.height),
        megabytes(rendition.size),
        rendition.ratio * 100.0,
    )
}

async fn subtitles(client: &Client, stage: &StageState) {
    let text = match report(&stage.result) {
        Ok(report) => subtitles_text(&report),
        Err(text) => text,
    };
    line("subtitles", &text);
    let Some(captions) = [".srt", ".vtt", ".txt"]
        .iter()
        .find_map(|end| stage.outputs.iter().find(|output| output.name.ends_with(end)))
    else {
        return;
    };
    // When they cannot be read, the rest of the report is still useful.
    let text = client.text(&captions.url).await.unwrap_or_default();
    let mut lines = spoken_lines(&text);
    for text in lines.by_ref().take(SUBTITLE_LINES) {
        line("", &format!("  {}", truncate_str(text, LINE_WIDTH, "…")));
    }
    if lines.next().is_some() {
        line("", "  …");
    }
}

fn subtitles_text(report: &SubtitleReport) -> String {
    let translated = match report.translated {
        true => ", translated to English",
        false => "",
    };
    let (language, cues, words) = (&report.language.name, report.cues, report.words);
    format!("{language}{translated}, {cues} cues, {words} words")
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

/// Status and reason of a stage that made no report, or of one that this program does not know.
fn outcome(stage: &StageState) -> String {
    let reason = match &stage.error {
        Some(error) => match &error.detail {
            Some(detail) => format!(": {detail} ({})", error.code),
            None => format!(": {}", error.code),
        },
        None => String::new(),
    };
    format!("{}{reason}", stage.status)
}

fn files(client: &Client, job: &Job, downloaded: Option<&Path>) {
    if let Some(dir) = downloaded {
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
    use super::*;
    use serde_json::json;

    #[test]
    fn reports_are_read_as_the_contract_writes_them() {
        let detected = json!({
            "language": { "code": "fr", "name": "French" }, "confidence": 0.5, "probabilities": [], "windows": [],
            "bytes_read": 1, "added_later": true,
        });
        let text = language_text(&report(&detected).unwrap());
        assert_eq!(text, "French (fr), 50 %, a guess: please check");
        let rendition = json!({
            "name": "144p.mp4", "size": 570_000, "ratio": 0.3, "width": 256, "height": 144, "video_codec": "h264",
            "audio_codec": null, "bitrate": 1, "duration": 1.0,
        });
        let text = rendition_text(&report(&rendition).unwrap());
        assert_eq!(text, "144p.mp4   256x144      0.57 MB   30 % of the source  h264");
        let mut copied = rendition;
        copied["made"] = json!("copied");
        let text = rendition_text(&report(&copied).unwrap());
        assert!(text.ends_with("h264, picture copied"), "{text}");
    }

    #[test]
    fn a_report_of_another_shape_is_shown_as_text() {
        let newer = json!({ "languages": ["fr", "\u{1b}[2J"] });
        let text = report::<DetectReport>(&newer).unwrap_err();
        assert_eq!(text, r#"{"languages":["fr","\u001b[2J"]}"#);
    }

    #[test]
    fn only_spoken_lines_are_shown() {
        let srt = "1\n00:00:00,000 --> 00:00:02,000\nHello there.\nHow are you?\n\n2\n";
        let lines: Vec<_> = spoken_lines(srt).collect();
        assert_eq!(lines, ["Hello there.", "How are you?"]);
    }
}
