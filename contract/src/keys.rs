//! Object keys. No key contains text from users.

use super::Stage;
use uuid::Uuid;

/// `uploads/<job_id>/source`: the video as it was uploaded.
pub fn source(job_id: Uuid) -> String {
    format!("uploads/{job_id}/source")
}

/// `uploads/<job_id>/source.tail-<offset>`: the bytes of a resumable upload that do not fill a part yet; they end at `offset`.
///
/// The key starts with the source's key, so that a removal by that prefix removes the tails too.
pub fn tail(job_id: Uuid, offset: u64) -> String {
    format!("uploads/{job_id}/source.tail-{offset}")
}

/// `outputs/<job_id>/`: prefix of all outputs of a job.
pub fn job_prefix(job_id: Uuid) -> String {
    format!("outputs/{job_id}/")
}

/// `outputs/<job_id>/<stage>/`: prefix of all outputs of a stage, including those of attempts that lost.
pub fn stage_prefix(job_id: Uuid, stage: Stage) -> String {
    format!("outputs/{job_id}/{stage}/")
}

/// `<stage prefix><attempt_id>/<name>`: one output of one attempt.
pub fn output(stage_prefix: &str, attempt_id: Uuid, name: &str) -> String {
    format!("{stage_prefix}{attempt_id}/{name}")
}

/// The id of the attempt that wrote an output; `None` for a manifest.
pub fn attempt(output: &str) -> Option<Uuid> {
    output.rsplit('/').nth(1)?.parse().ok()
}

/// `<stage prefix>manifest.json`: the result of the winning attempt. It is written once, with `If-None-Match: *`.
pub fn manifest(stage_prefix: &str) -> String {
    format!("{stage_prefix}manifest.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_names_its_attempt() {
        let (job, id) = (Uuid::now_v7(), Uuid::now_v7());
        let prefix = stage_prefix(job, Stage::Scale);
        assert_eq!(attempt(&output(&prefix, id, "720p.mp4")), Some(id));
        assert_eq!(attempt(&manifest(&prefix)), None);
    }
}
