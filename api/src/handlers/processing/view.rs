//! Videos as clients of the first VidP see them.

use super::kind::Kind;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::Stage;
use vidp_record::{
    job::{Job, JobStatus, StageState},
    view::{self, OutputView},
};

/// A video, its status and its outputs.
#[derive(Serialize, ToSchema)]
#[schema(as = Video)]
pub(crate) struct VideoView<'a> {
    /// Id of the job.
    video_id: Uuid,
    /// Kind of processing.
    processing: Kind,
    /// Status of the job.
    status: JobStatus,
    /// Progress over all stages, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    progress: f64,
    /// Name of the file.
    filename: &'a str,
    /// ISO code of the spoken language; null until it is known.
    language: Option<&'a str>,
    /// Probability of the detected language, 0 to 1; null when the language was not detected.
    confidence: Option<f64>,
    /// The outputs so far.
    outputs: Vec<OutputView<'a>>,
    /// The error of the first stage that failed or was skipped.
    error: Option<VideoError<'a>>,
    /// URL of the job, which has more details.
    job_url: String,
    /// When the job was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    /// When the job last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Option<String>,
}

/// Why a stage failed or was skipped.
#[derive(Serialize, ToSchema)]
struct VideoError<'a> {
    /// The stage.
    stage: Stage,
    /// Failure code or skip code, as in the job.
    code: &'a str,
    /// Explanation for people.
    detail: &'a str,
}

/// A page of videos, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct VideoList<'a> {
    /// The videos of the page.
    pub(super) data: Vec<VideoView<'a>>,
    /// The `cursor` of the next page; null on the last page.
    pub(super) next_cursor: Option<String>,
}

/// A job as a video.
pub(crate) fn video(kind: Kind, job: &Job) -> VideoView<'_> {
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
