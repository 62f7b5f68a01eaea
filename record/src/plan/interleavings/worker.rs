//! The workers of the model: deliveries and attempts.

use super::{
    attempt::{At, Attempt, Note},
    events::Way,
    world::World,
};
use crate::plan::{
    progressed,
    tests::{TIMES, progress},
};
use uuid::Uuid;
use vidp_contract::{FailureCode, Outcome, Output, Progress, SkipCode, Stage, Success, TaskResult, Timings};

/// Failed attempts and deaths of a task after which a worker gives up.
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
            None if self.used(task, number - 1) >= ATTEMPT_LIMIT => {
                At::Publish(self.failure(task, number, self.exhausted(task)))
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
            (At::Work, Way::GiveBack) => {
                self.notes.insert((task, number), Note::Failed);
                let last = self.used(task, number) >= ATTEMPT_LIMIT;
                last.then(|| At::Publish(self.failure(task, number, self.exhausted(task))))
            }
            // A worker that dies between the note and its answer is the same for the model: the task comes back.
            (At::Work, Way::HandOver) => {
                self.notes.insert((task, number), Note::HandedOver);
                None
            }
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

    /// Like `worker::tally`: the deliveries up to `last` that used up an attempt.
    fn used(&self, task: (Stage, Uuid), last: u32) -> u32 {
        let handed_over = |number: &u32| self.notes.get(&(task, *number)) == Some(&Note::HandedOver);
        last - (1..=last).filter(handed_over).count() as u32
    }

    /// The reason of a task without attempts left: its workers died in all of them, or not.
    fn exhausted(&self, task: (Stage, Uuid)) -> FailureCode {
        let failed = |(noted, note): (&((Stage, Uuid), u32), &Note)| noted.0 == task && *note == Note::Failed;
        match self.notes.iter().any(failed) {
            true => FailureCode::AttemptsExhausted,
            false => FailureCode::WorkerDied,
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
