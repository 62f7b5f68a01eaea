use super::{DetectOptions, ScaleOptions, Stage, SubtitleOptions, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Hexadecimal digits of the name of a plan.
const PLAN_DIGITS: usize = 16;

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

/// A message that offers one part of a running task. A worker of the stage that takes it makes the part and stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartOffer {
    /// The task, which another worker runs.
    pub task: Task,
    /// Names the plan in the object store: 16 lower-case hexadecimal digits of a hash of everything on which the parts
    /// depend.
    pub plan: String,
    /// Number of the part, from 0.
    pub number: u32,
}

impl PartOffer {
    /// Checks what becomes part of an object key.
    ///
    /// # Errors
    /// The reason why the offer cannot be taken.
    pub fn check(&self) -> Result<(), String> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match self.plan.len() == PLAN_DIGITS && self.plan.bytes().all(is_digit) {
            true => Ok(()),
            false => Err("the plan is not named by 16 hexadecimal digits".to_owned()),
        }
    }
}
