//! A job as clients see it. The shape is the same for every status.

use crate::{
    job::{Job, JobStatus, StageError, StageState, StageStatus},
    source::Reference,
};
use mongodb::bson::DateTime;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_contract::{
    DetectReport, JobOptions, Lane, MediaFacts, Output, PartCounts, ScaleReport, Stage, SubtitleReport,
    Timings,
};

/// A job: one video and the stages that process it.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView<'a> {
    /// UUIDv7.
    id: Uuid,
    status: JobStatus,
    /// The requested stages, by name.
    #[schema(value_type = BTreeMap<String, StageView>)]
    stages: BTreeMap<Stage, StageView<'a>>,
    source: SourceView<'a>,
    /// The requested options, completed with the defaults.
    options: &'a JobOptions,
    lane: Lane,
    /// Id of the batch that created the job.
    batch_id: Option<&'a str>,
    /// The client's own id of the video.
    external_id: Option<&'a str>,
    /// The client's own data, returned unchanged.
    metadata: &'a Map<String, Value>,
    /// Time from which the stream of the job can be played, with the option `scale.stream`. A long film can be played before it is
    /// complete.
    #[schema(value_type = Option<String>, format = DateTime)]
    playable_at: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Option<String>,
    /// Time at which the job and its files are deleted; set once the job has ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
}

/// The source file of a job.
#[derive(Serialize, ToSchema)]
#[schema(as = Source)]
struct SourceView<'a> {
    filename: &'a str,
    /// Bytes. While the upload runs: the announced size, or 0.
    #[schema(minimum = 0)]
    size: i64,
    /// SHA-256 in lower-case hexadecimal; empty while the upload runs.
    sha256: &'a str,
    content_type: &'a str,
    /// Facts about the media; set once a stage has probed the file.
    media: Option<&'a MediaFacts>,
    /// Location from which the source was fetched, without the query of a URL; absent for an upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reference: Option<Reference>,
}

/// One stage of a job.
#[derive(Serialize, ToSchema)]
#[schema(as = StageState)]
struct StageView<'a> {
    status: StageStatus,
    /// How often a worker has started the stage so far. A hand-over by a worker that was stopped starts it again, and is no
    /// failed attempt.
    attempt: u32,
    /// Completed share, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    progress: f64,
    /// Current phase, for example `fetch`, `encode`, `transcribe`, `store`.
    phase: Option<&'a str>,
    /// Seconds of media processed per second.
    speed: Option<f64>,
    /// Parts of a running stage that several workers may share; absent when it is done in one piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parts: Option<PartCounts>,
    /// Reason why the stage failed, was skipped or was cancelled.
    error: Option<&'a StageError>,
    /// Report of a stage that succeeded.
    #[schema(value_type = Option<Report>)]
    result: Option<&'a Value>,
    outputs: Vec<OutputView<'a>>,
    timings: Option<Timings>,
    #[schema(value_type = Option<String>, format = DateTime)]
    queued_at: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<String>,
}

/// Report of a stage; its shape depends on the stage.
#[derive(ToSchema)]
#[schema(as = Report)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "only for the OpenAPI document: results are returned as the workers wrote them"
)]
enum Report {
    Detect(DetectReport),
    Scale(ScaleReport),
    Subtitle(SubtitleReport),
}

/// An output file of a stage.
#[derive(Serialize, ToSchema)]
#[schema(as = Output)]
pub struct OutputView<'a> {
    /// Fixed per stage, for example `720p.mp4`.
    name: &'a str,
    /// Bytes.
    size: u64,
    /// SHA-256 in lower-case hexadecimal.
    sha256: &'a str,
    content_type: &'a str,
    /// Path of the download.
    url: String,
    /// The stage; present only in lists over all stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<Stage>,
}

/// Returns the public view of a job.
pub fn job(job: &Job) -> JobView<'_> {
    let stages = job.stages.iter();
    JobView {
        id: job.id,
        status: job.status,
        stages: stages
            .map(|(name, state)| (*name, stage(job, *name, state)))
            .collect(),
        source: SourceView {
            filename: &job.source.filename,
            size: job.source.size,
            sha256: &job.source.sha256,
            content_type: &job.source.content_type,
            media: job.source.media.as_ref(),
            reference: job.source.reference.as_ref().map(Reference::without_query),
        },
        options: &job.options,
        lane: job.lane,
        batch_id: job.batch_id.as_deref(),
        external_id: job.external_id.as_deref(),
        metadata: &job.metadata,
        playable_at: time(playable_at(job)),
        created_at: time(Some(job.created_at)),
        updated_at: time(Some(job.updated_at)),
        expires_at: time(job.expires_at),
    }
}

/// Time from which the stream of the job can be played; `None` before, and for a job without one.
fn playable_at(job: &Job) -> Option<DateTime> {
    let is_complete = job.has_stream();
    let growing = job
        .growing_stream()
        .filter(|stream| is_complete || stream.parts > 0);
    let scale = job.stages.get(&Stage::Scale).filter(|_| is_complete);
    let finished = scale.and_then(|scale| scale.finished_at);
    growing.map(|stream| stream.since).or(finished)
}

/// Returns the outputs of all stages, each with its stage.
pub fn outputs(job: &Job) -> Vec<OutputView<'_>> {
    let mut outputs = Vec::new();
    for (stage, state) in &job.stages {
        outputs.extend(state.outputs.iter().map(|one| OutputView {
            stage: Some(*stage),
            ..output(job, *stage, one)
        }));
    }
    outputs
}

fn stage<'a>(job: &Job, name: Stage, state: &'a StageState) -> StageView<'a> {
    StageView {
        status: state.status,
        attempt: state.attempt,
        progress: state.progress,
        phase: state.phase.as_deref(),
        speed: state.speed,
        parts: state.parts,
        error: state.error.as_ref(),
        result: state.result.as_ref(),
        outputs: state.outputs.iter().map(|one| output(job, name, one)).collect(),
        timings: state.timings,
        queued_at: time(state.queued_at),
        started_at: time(state.started_at),
        finished_at: time(state.finished_at),
    }
}

fn output<'a>(job: &Job, stage: Stage, output: &'a Output) -> OutputView<'a> {
    OutputView {
        name: &output.name,
        size: output.size,
        sha256: &output.sha256,
        content_type: &output.content_type,
        url: format!("/api/v1/jobs/{}/outputs/{stage}/{}", job.id, output.name),
        stage: None,
    }
}

/// Formats a time as RFC 3339 in UTC.
pub fn time(time: Option<DateTime>) -> Option<String> {
    time.and_then(|time| time.try_to_rfc3339_string().ok())
}
