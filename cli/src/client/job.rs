//! A job: what the command line reads of it, and the whole document.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

#[derive(Deserialize)]
pub struct Job {
    pub id: String,
    pub status: String,
    pub stages: BTreeMap<String, Stage>,
    pub source: Source,
    pub external_id: Option<String>,
    pub batch_id: Option<String>,
    pub created_at: String,
    pub updated_at: String,
    #[serde(skip)]
    pub document: Value,
}

#[derive(Deserialize)]
pub struct Stage {
    pub status: String,
    pub progress: Option<f64>,
    pub phase: Option<String>,
    pub speed: Option<f64>,
    pub error: Option<Problem>,
    #[serde(default)]
    pub result: Value,
    #[serde(default)]
    pub outputs: Vec<Output>,
}

#[derive(Deserialize)]
pub struct Problem {
    pub code: String,
    pub detail: Option<String>,
}

#[derive(Deserialize)]
pub struct Source {
    pub filename: Option<String>,
    /// Empty until all of the file has come.
    pub sha256: Option<String>,
}

#[derive(Deserialize)]
pub struct Output {
    pub name: String,
    pub size: u64,
    pub sha256: String,
    /// Absolute path on the server.
    pub url: String,
}

impl Job {
    /// Of the server's answer.
    pub fn parse(document: Value) -> Result<Job> {
        let job = Job::deserialize(&document).context("the server's answer is not a job")?;
        Ok(Job { document, ..job })
    }

    /// What people call its video.
    pub fn title(&self) -> &str {
        self.source.filename.as_deref().unwrap_or("the video")
    }

    /// Whether nothing will change any more.
    pub fn is_over(&self) -> bool {
        matches!(
            self.status.as_str(),
            "succeeded" | "partial" | "failed" | "cancelled"
        )
    }

    /// Whether it ended before all of its file had come: nothing can be made of it.
    pub fn is_remains(&self) -> bool {
        self.is_over() && self.source.sha256.as_deref().unwrap_or_default().is_empty()
    }

    /// What was wrong in the first stage that failed.
    pub fn error(&self) -> Option<&Problem> {
        let mut failed = self.stages.values().filter(|stage| stage.status != "skipped");
        failed.find_map(|stage| stage.error.as_ref())
    }

    /// Seconds between its beginning and its last change.
    pub fn seconds(&self) -> Option<f64> {
        let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
        Some((time(&self.updated_at)? - time(&self.created_at)?).as_seconds_f64())
    }
}

/// The path of a job; the id comes from the command line.
pub fn path(id: &str) -> Result<String> {
    Ok(format!("/api/v1/jobs/{}", plain("job", id)?))
}

/// An id that stays one segment of a path.
pub fn plain<'a>(what: &str, id: &'a str) -> Result<&'a str> {
    let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    ensure!(plain, "{id:?} is not a {what}'s id");
    Ok(id)
}
