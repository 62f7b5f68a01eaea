use super::Stage;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Progress of a running stage, sent about once a second. Core NATS carries it, so it may be lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The task that runs.
    pub task_id: Uuid,
    /// The job it belongs to.
    pub job_id: Uuid,
    /// The stage that runs.
    pub stage: Stage,
    /// Number of the task's delivery, from 1. Failures, deaths of workers and hand-overs each cause another delivery.
    pub attempt: u32,
    /// Completed share, 0 to 1; it never decreases within an attempt.
    pub progress: f64,
    /// Current phase, for example `fetch`, `encode`, `transcribe`, `store`.
    pub phase: String,
    /// Processing speed in seconds of media per second; absent in phases without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Parts of the work; absent when it is done in one piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<PartCounts>,
    /// Parts of the stream that can be played already; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamProgress>,
    /// Name of the worker: `<host>-<pid>`.
    pub worker: String,
}

/// How much of a stream can be played while its film is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamProgress {
    /// The name of the film's plan, in hexadecimal. It is a part of the keys of the parts.
    pub plan: String,
    /// The number of parts, which never decreases while the plan stays.
    pub parts: u32,
}

impl StreamProgress {
    /// True for a plan that may be a part of keys, and a number of parts that a film can have.
    pub fn is_valid(&self) -> bool {
        (1..=MAX_PLAN).contains(&self.plan.len())
            && self.plan.bytes().all(|byte| byte.is_ascii_hexdigit())
            && (1..=MAX_PARTS).contains(&self.parts)
    }
}

/// Length of a plan's name at most, and parts of a film at most.
const MAX_PLAN: usize = 64;
const MAX_PARTS: u32 = 100_000;

/// Parts in which a film is made, by one worker or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartCounts {
    /// All parts of the film.
    pub total: u32,
    /// Parts that are made.
    pub done: u32,
    /// Parts that workers are making now.
    pub running: u32,
}
