use super::{DetectOptions, ScaleOptions, Stage, SubtitleOptions, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One stage of one job, asked of whichever worker pulls it first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Names this request; a retry of the stage gets a new one.
    pub task_id: Uuid,
    /// The job it belongs to.
    pub job_id: Uuid,
    /// Deliveries after which the stage fails.
    pub attempt_limit: u32,
    /// When the answer is no longer wanted.
    #[serde(with = "time::serde::rfc3339")]
    pub deadline: Timestamp,
    /// The uploaded video.
    pub source: Source,
    /// `outputs/<job_id>/<stage>/`: everything that a worker writes lies below it.
    pub output_prefix: String,
    /// `stage` and its `options`.
    #[serde(flatten)]
    pub work: Work,
}

/// The uploaded object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Bucket name.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal SHA-256 of the bytes.
    pub sha256: String,
}

/// What to do: the stage, with that stage's options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", content = "options", rename_all = "snake_case")]
pub enum Work {
    /// Find the spoken language.
    Detect(DetectOptions),
    /// Make renditions.
    Scale(ScaleOptions),
    /// Make captions.
    Subtitle(SubtitleOptions),
}

impl Work {
    /// The stage this is.
    pub fn stage(&self) -> Stage {
        match self {
            Work::Detect(_) => Stage::Detect,
            Work::Scale(_) => Stage::Scale,
            Work::Subtitle(_) => Stage::Subtitle,
        }
    }
}
