//! Videos as clients of the first VidP see them.

use super::kind::Kind;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::{LANGUAGES, Stage};
use vidp_record::{
    job::{Job, JobStatus, StageState},
    view::{self, OutputView},
};

/// A video and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Video)]
pub struct VideoView<'a> {
    /// The job's id.
    video_id: Uuid,
    processing: Kind,
    status: JobStatus,
    /// Share done, over all stages.
    #[schema(minimum = 0, maximum = 1)]
    progress: f64,
    filename: &'a str,
    /// ISO code of the language spoken, once it is known.
    language: Option<&'a str>,
    /// Its probability, when it was detected.
    confidence: Option<f64>,
    /// The files made so far.
    outputs: Vec<OutputView<'a>>,
    /// Why a stage failed or was skipped: the first that did.
    error: Option<VideoError<'a>>,
    /// The job, which has more.
    job_url: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Option<String>,
}

/// Why a stage failed or was skipped.
#[derive(Serialize, ToSchema)]
struct VideoError<'a> {
    stage: Stage,
    /// As in a job.
    code: &'a str,
    detail: &'a str,
}

/// A page of videos, newest first.
#[derive(Serialize, ToSchema)]
pub struct VideoList<'a> {
    pub data: Vec<VideoView<'a>>,
    /// The `cursor` of the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// The languages that can be heard.
#[derive(Serialize, ToSchema)]
pub struct LanguageList {
    languages: Vec<SupportedLanguage>,
    total: usize,
}

/// A language.
#[derive(Serialize, ToSchema)]
struct SupportedLanguage {
    /// ISO 639.
    code: &'static str,
    /// In English.
    name: &'static str,
}

/// A job as a video.
pub fn video(kind: Kind, job: &Job) -> VideoView<'_> {
    let stages = &job.stages;
    let report = |stage| stages.get(&stage).and_then(|state| state.result.as_ref());
    let code = |stage| report(stage).and_then(|report: &Value| report["language"]["code"].as_str());
    let mut errors = stages.iter().filter_map(|(stage, state)| {
        let error = state.error.as_ref()?;
        Some(VideoError {
            stage: *stage,
            code: &error.code,
            detail: &error.detail,
        })
    });
    let share = |state: &StageState| {
        if state.status.is_terminal() {
            1.0
        } else {
            state.progress
        }
    };
    VideoView {
        video_id: job.id,
        processing: kind,
        status: job.status,
        progress: stages.values().map(share).sum::<f64>() / stages.len().max(1) as f64,
        filename: &job.source.filename,
        language: code(Stage::Detect).or_else(|| code(Stage::Subtitle)),
        confidence: report(Stage::Detect).and_then(|report| report["confidence"].as_f64()),
        outputs: view::outputs(job),
        error: errors.next(),
        job_url: format!("/api/v1/jobs/{}", job.id),
        created_at: view::time(Some(job.created_at)),
        updated_at: view::time(Some(job.updated_at)),
    }
}

/// Every language.
pub fn languages() -> LanguageList {
    let languages = LANGUAGES
        .iter()
        .map(|&(code, name)| SupportedLanguage { code, name });
    LanguageList {
        languages: languages.collect(),
        total: LANGUAGES.len(),
    }
}
