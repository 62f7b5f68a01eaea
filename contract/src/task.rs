use super::{DetectOptions, ScaleOptions, Stage, SubtitleOptions, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A message that requests one stage of one job. The first worker that pulls it does the work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Id of this request; a retry of the stage gets a new one.
    pub task_id: Uuid,
    /// The job it belongs to.
    pub job_id: Uuid,
    /// Number of attempts after which the stage fails: attempts that failed, and those in which the worker died. A task that
    /// was handed over is no failed attempt.
    pub attempt_limit: u32,
    /// Time after which the result is no longer needed.
    #[serde(with = "time::serde::rfc3339")]
    pub deadline: Timestamp,
    /// The uploaded video.
    pub source: Source,
    /// `outputs/<job_id>/<stage>/`: prefix of every object that a worker writes for this task.
    pub output_prefix: String,
    /// The `stage` and its `options`.
    #[serde(flatten)]
    pub work: Work,
}

/// The uploaded video in the object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Bucket name.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// Lower-case hexadecimal SHA-256 of the bytes.
    pub sha256: String,
}

/// A stage with its options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", content = "options", rename_all = "snake_case")]
pub enum Work {
    /// Detect the spoken language.
    Detect(DetectOptions),
    /// Make renditions.
    Scale(ScaleOptions),
    /// Make a transcript and captions.
    Subtitle(SubtitleOptions),
}

impl Work {
    /// The stage.
    pub fn stage(&self) -> Stage {
        match self {
            Work::Detect(_) => Stage::Detect,
            Work::Scale(_) => Stage::Scale,
            Work::Subtitle(_) => Stage::Subtitle,
        }
    }
}
