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

/// `probes/<stage>`: the object with which the workers of a stage test the store.
pub fn probe(stage: Stage) -> String {
    format!("probes/{stage}")
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

/// `<stage prefix><task_id>/delivery-<number>`: the note of a worker that lived to the end of this delivery without a result.
///
/// The id of the task stands where outputs have the id of their attempt, so that the cleanup of losing attempts removes
/// the notes too.
pub fn delivery(stage_prefix: &str, task_id: Uuid, number: u32) -> String {
    format!("{stage_prefix}{task_id}/delivery-{number}")
}

/// `<stage prefix><task_id>/part-<name>.json`: the manifest of a finished part of the work, written once.
pub fn part(stage_prefix: &str, task_id: Uuid, name: &str) -> String {
    format!("{stage_prefix}{task_id}/part-{name}.json")
}

/// `<stage prefix><task_id>/part-<name>-<attempt_id>-<number>`: a file of a part. The manifest names it.
pub fn part_file(stage_prefix: &str, task_id: Uuid, name: &str, attempt_id: Uuid, number: usize) -> String {
    format!("{stage_prefix}{task_id}/part-{name}-{attempt_id}-{number}")
}

/// `<stage prefix><task_id>/`: the folder with the parts of a task.
pub fn task_folder(stage_prefix: &str, task_id: Uuid) -> String {
    format!("{stage_prefix}{task_id}/")
}

/// `<stage prefix><task_id>/stream-<plan>-<number>.json`: the index of a part of the stream, written once. Numbers begin with 0.
pub fn stream_part(stage_prefix: &str, task_id: Uuid, plan: &str, number: u32) -> String {
    format!("{stage_prefix}{task_id}/stream-{plan}-{number:05}.json")
}

/// The two folders of jobs' objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// `uploads/`: sources.
    Uploads,
    /// `outputs/`: results of stages.
    Outputs,
}

/// The folder and the job id in a key; `None` for other objects.
pub fn owner(key: &str) -> Option<(Folder, Uuid)> {
    let (folder, rest) = key.split_once('/')?;
    let folder = match folder {
        "uploads" => Folder::Uploads,
        "outputs" => Folder::Outputs,
        _ => return None,
    };
    Some((folder, rest.split_once('/')?.0.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_owner() {
        let id = Uuid::now_v7();
        assert_eq!(owner(&source(id)), Some((Folder::Uploads, id)));
        assert_eq!(owner(&tail(id, 5)), Some((Folder::Uploads, id)));
        let output = output(&stage_prefix(id, Stage::Scale), Uuid::now_v7(), "720p.mp4");
        assert_eq!(owner(&output), Some((Folder::Outputs, id)));
        for other in ["probes/1", "models/x.bin", "uploads/a/source", "uploads", ""] {
            assert_eq!(owner(other), None, "{other}");
        }
    }

    #[test]
    fn an_output_names_its_attempt() {
        let (job, id) = (Uuid::now_v7(), Uuid::now_v7());
        let prefix = stage_prefix(job, Stage::Scale);
        assert_eq!(attempt(&output(&prefix, id, "720p.mp4")), Some(id));
        assert_eq!(attempt(&manifest(&prefix)), None);
        assert_eq!(attempt(&delivery(&prefix, id, 3)), Some(id));
        assert_eq!(attempt(&part(&prefix, id, "x-0")), Some(id));
        assert_eq!(attempt(&part_file(&prefix, id, "x-0", job, 1)), Some(id));
        assert_eq!(attempt(&stream_part(&prefix, id, "0a", 1)), Some(id));
        assert!(stream_part(&prefix, id, "0a", 1).starts_with(&task_folder(&prefix, id)));
    }
}
