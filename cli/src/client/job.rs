use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use vidp_contract::{FailureCode, PartCounts};

/// A job as the API returns it: the fields that the command line reads, and the whole document.
///
/// Statuses, stages and codes are text, because a newer server may know values that this program does not.
#[derive(Deserialize)]
pub struct Job {
    /// The job's id, a UUID.
    pub id: String,
    /// The job's status, for example `running`.
    pub status: String,
    /// The state of each stage, by the stage's name.
    pub stages: BTreeMap<String, StageState>,
    /// The uploaded or fetched video.
    pub source: Source,
    /// The id that the caller chose.
    pub external_id: Option<String>,
    /// The API batch that the job belongs to.
    pub batch_id: Option<String>,
    /// Time from which the stream can be played, RFC 3339; a long film can be played before it is complete.
    pub playable_at: Option<String>,
    /// Creation time, RFC 3339.
    pub created_at: String,
    /// Time of the last change, RFC 3339.
    pub updated_at: String,
    /// The document itself, with all fields that the server sent.
    #[serde(skip)]
    pub document: Value,
}

/// One stage of a job.
#[derive(Deserialize)]
pub struct StageState {
    /// The stage's status, for example `queued`.
    pub status: String,
    /// Share done, 0 to 1.
    pub progress: Option<f64>,
    /// Current activity of a running stage, for example `encode`.
    pub phase: Option<String>,
    /// Seconds of media per second of time.
    pub speed: Option<f64>,
    /// Parts of a film that several workers may share; absent when it is made in one piece.
    pub parts: Option<PartCounts>,
    /// Reason of a failure or a skip.
    pub error: Option<Problem>,
    /// The stage's report: a `DetectReport`, `ScaleReport` or `SubtitleReport`; null before the stage succeeded.
    #[serde(default)]
    pub result: Value,
    /// The files that the stage made.
    #[serde(default)]
    pub outputs: Vec<Output>,
}

/// Reason why a stage failed or was skipped.
#[derive(Deserialize)]
pub struct Problem {
    /// Stable code, for example `unsupported_media`.
    pub code: String,
    /// Explanation for people, one sentence.
    pub detail: Option<String>,
}

/// The video of a job.
#[derive(Deserialize)]
pub struct Source {
    /// The file's name, as the client sent it.
    pub filename: Option<String>,
    /// SHA-256 in hexadecimal; empty until the whole file is stored.
    pub sha256: Option<String>,
}

/// A file that a stage made.
#[derive(Deserialize)]
pub struct Output {
    /// File name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Absolute path on the server.
    pub url: String,
}

impl Job {
    /// Reads a job from the server's answer.
    pub fn parse(document: Value) -> Result<Job> {
        let job = Job::deserialize(&document).context("the server's answer is not a job")?;
        Ok(Job { document, ..job })
    }

    /// The name of the video for people.
    pub fn title(&self) -> &str {
        self.source.filename.as_deref().unwrap_or("the video")
    }

    /// True when the job is in a final status.
    pub fn has_ended(&self) -> bool {
        matches!(
            self.status.as_str(),
            "succeeded" | "partial" | "failed" | "cancelled"
        )
    }

    /// True when the job ended before its whole file was stored: a retry cannot process it.
    pub fn lacks_source(&self) -> bool {
        self.has_ended() && self.source.sha256.as_deref().unwrap_or_default().is_empty()
    }

    /// The problem of the first stage that failed.
    pub fn error(&self) -> Option<&Problem> {
        let mut failed = self.stages.values().filter(|stage| stage.status != "skipped");
        failed.find_map(|stage| stage.error.as_ref())
    }

    /// Seconds from the job's creation to its last change.
    pub fn seconds(&self) -> Option<f64> {
        let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
        Some((time(&self.updated_at)? - time(&self.created_at)?).as_seconds_f64())
    }
}

impl Problem {
    /// The failure code; `None` for a skip code, and for a code that only a newer server knows.
    pub fn failure(&self) -> Option<FailureCode> {
        self.code.parse().ok()
    }
}

/// The path of a job. The id comes from the command line and is checked.
pub fn job_path(id: &str) -> Result<String> {
    Ok(format!("/api/v1/jobs/{}", path_segment("job", id)?))
}

/// The path of a job's page in the web page. The id comes from the command line and is checked.
pub fn page_path(id: &str) -> Result<String> {
    Ok(format!("/#/jobs/{}", path_segment("job", id)?))
}

/// Checks that an id from the command line stays one segment of a path. `what` names it in the error.
pub fn path_segment<'a>(what: &str, id: &'a str) -> Result<&'a str> {
    let is_segment = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    ensure!(is_segment, "{id:?} is not a valid {what} id");
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_a_newer_server_are_read_as_text() {
        let problem = |code: &str| Problem {
            code: code.to_owned(),
            detail: None,
        };
        assert_eq!(problem("timed_out").failure(), Some(FailureCode::TimedOut));
        assert_eq!(problem("added_later").failure(), None);
        assert_eq!(problem("no_audio").failure(), None);
    }

    #[test]
    fn ids_stay_one_segment_of_a_path() {
        let id = "01a21e33-aa7c-7396-bf07-698540903c09";
        assert!(job_path(id).is_ok());
        assert_eq!(page_path(id).unwrap(), format!("/#/jobs/{id}"));
        for id in ["", "..", "a/b", "a?b", "é"] {
            assert!(job_path(id).is_err() && page_path(id).is_err(), "{id:?}");
        }
    }
}
