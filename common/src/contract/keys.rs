//! Object keys. User text never becomes part of one.

use super::Stage;
use uuid::Uuid;

/// `uploads/<job_id>/source`: the video as it was uploaded.
pub fn source(job_id: Uuid) -> String {
    format!("uploads/{job_id}/source")
}

/// `uploads/<job_id>/`: everything uploaded for a job.
pub fn upload_prefix(job_id: Uuid) -> String {
    format!("uploads/{job_id}/")
}

/// `outputs/<job_id>/`: everything made for a job.
pub fn job_prefix(job_id: Uuid) -> String {
    format!("outputs/{job_id}/")
}

/// `outputs/<job_id>/<stage>/`: everything a stage made, losing attempts included.
pub fn stage_prefix(job_id: Uuid, stage: Stage) -> String {
    format!("outputs/{job_id}/{stage}/")
}

/// `<stage prefix><attempt_id>/<name>`: one output of one attempt.
pub fn output(stage_prefix: &str, attempt_id: Uuid, name: &str) -> String {
    format!("{stage_prefix}{attempt_id}/{name}")
}

/// `<stage prefix>manifest.json`: the winning attempt's result. Written once, with `If-None-Match: *`.
pub fn manifest(stage_prefix: &str) -> String {
    format!("{stage_prefix}manifest.json")
}
