//! The workers of the model: deliveries and attempts.

use super::{
    attempt::{At, Attempt},
    events::Way,
    world::World,
};
use crate::plan::{
    progressed,
    tests::{TIMES, progress},
};
use uuid::Uuid;
use vidp_contract::{FailureCode, Outcome, Output, Progress, SkipCode, Stage, Success, TaskResult, Timings};

/// Deliveries of a task after which a worker gives up.
const ATTEMPT_LIMIT: u32 = 3;

impl World {
    pub(super) fn attempt(&mut self, n: usize) -> Option<&mut Attempt> {
        let count = self.attempts.len().max(1);
        self.attempts.get_mut(n % count)
    }

    /// Like `worker::delivery`, up to the handler.
    pub(super) fn deliver(&mut self, n: usize) {
        let held = |task| {
            self.attempts
                .iter()
                .any(|other| other.holds && other.task == task)
        };
        let free: Vec<_> = self.tasks.keys().copied().filter(|task| !held(*task)).collect();
        let Some(&task) = free.get(n % free.len().max(1)) else {
            return;
        };
        let delivered = self.tasks.get_mut(&task).expect("the task was listed above");
        *delivered += 1;
        let number = *delivered;
        let at = match self.manifests.get(&task.0) {
            Some(known) => At::Publish(TaskResult {
                task_id: task.1,
                ..known.clone()
            }),
            None if number > ATTEMPT_LIMIT => {
                At::Publish(self.failure(task, number, FailureCode::WorkerDied))
            }
            None => At::Work,
        };
        let holds = true;
        self.attempts.push(Attempt {
            task,
            number,
            holds,
            at,
        });
    }

    /// Like `worker::run` and `worker::commit`. An attempt without its lease continues as well: it may have checked the
    /// lease just before it was suspended.
    pub(super) fn step(&mut self, n: usize, way: Way) {
        let Some(attempt) = self.attempt(n).cloned() else {
            return;
        };
        let (task, number, now) = (attempt.task, attempt.number, self.time());
        let next = match (attempt.at, way) {
            (At::Work, Way::Progress) => {
                let message = Progress {
                    task_id: task.1,
                    ..progress(&self.job, task.0, number, 0.5)
                };
                progressed(&mut self.job, &message, TIMES, now);
                return;
            }
            (At::Work, Way::Succeed) => Some(At::Claim(self.success(task, number))),
            (At::Work, Way::Skip) => Some(At::Claim(TaskResult {
                outcome: Outcome::Skipped {
                    code: SkipCode::NoAudio,
                },
                ..self.success(task, number)
            })),
            (At::Work, Way::Fail) => Some(At::Publish(self.failure(task, number, FailureCode::DamagedMedia))),
            (At::Work, Way::GiveBack) if number >= ATTEMPT_LIMIT => Some(At::Publish(self.failure(
                task,
                number,
                FailureCode::AttemptsExhausted,
            ))),
            (At::Work, Way::GiveBack) => None,
            (At::Claim(result), _) => {
                // The first writer wins; later writers adopt its manifest.
                let winner = self.manifests.entry(task.0).or_insert(result);
                Some(At::Publish(TaskResult {
                    task_id: task.1,
                    ..winner.clone()
                }))
            }
            (At::Publish(result), _) => {
                if let Outcome::Failed { .. } = result.outcome {
                    self.failures.insert(result.task_id);
                }
                self.results.push(result);
                Some(At::Acknowledge)
            }
            (At::Acknowledge, _) => {
                self.tasks.remove(&task);
                None
            }
        };
        let n = n % self.attempts.len();
        match next {
            Some(at) => self.attempts[n].at = at,
            None => drop(self.attempts.remove(n)),
        }
    }

    fn failure(&self, task: (Stage, Uuid), attempt: u32, code: FailureCode) -> TaskResult {
        TaskResult {
            task_id: task.1,
            job_id: self.job.id,
            stage: task.0,
            attempt,
            outcome: Outcome::Failed {
                code,
                detail: String::new(),
            },
            timings: Timings::default(),
            worker: "w".to_owned(),
        }
    }

    /// Creates a success. Each attempt stores separate outputs.
    fn success(&mut self, task: (Stage, Uuid), attempt: u32) -> TaskResult {
        self.outputs += 1;
        let output = Output {
            name: "out".to_owned(),
            key: self.outputs.to_string(),
            size: 1,
            sha256: String::new(),
            content_type: String::new(),
        };
        TaskResult {
            outcome: Outcome::Succeeded(Success {
                outputs: vec![output],
                ..Success::default()
            }),
            ..self.failure(task, attempt, FailureCode::Internal)
        }
    }
}
