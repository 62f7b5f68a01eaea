//! The model: the state machine with a broker, workers and a sweeper in memory.

use super::{
    attempt::{Attempt, Note},
    events::{Event, Way},
};
use crate::{
    job::{Job, JobStatus, StageStatus},
    plan::{
        cancelled, due, finished, newly_due, retried, sent,
        tests::{TIMES, job},
    },
};
use mongodb::bson::DateTime;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;
use vidp_contract::{Stage, TaskResult};

/// The state of the model: the job's document, the broker, the store and the workers.
pub(super) struct World {
    /// Milliseconds.
    pub(super) now: i64,
    pub(super) job: Job,
    /// Stages that live processes made due and have not published yet.
    pub(super) publishing: BTreeSet<(Stage, Uuid)>,
    /// Tasks that the stream has ever stored.
    pub(super) published: BTreeSet<Uuid>,
    /// Tasks that the sweeper may publish once more.
    pub(super) republishing: BTreeSet<Uuid>,
    /// The task stream, with the number of deliveries of each task.
    pub(super) tasks: BTreeMap<(Stage, Uuid), u32>,
    pub(super) results: Vec<TaskResult>,
    /// Number of results that the API's consumer has received.
    pub(super) consumed: usize,
    /// The notes in the store, by task and number of its delivery.
    pub(super) notes: BTreeMap<((Stage, Uuid), u32), Note>,
    pub(super) manifests: BTreeMap<Stage, TaskResult>,
    pub(super) attempts: Vec<Attempt>,
    /// Final statuses of the job, until a retry.
    pub(super) ended: Option<(JobStatus, Vec<StageStatus>)>,
    pub(super) outputs: u32,
    /// Tasks for which a worker reported a failure.
    pub(super) failures: BTreeSet<Uuid>,
}

impl World {
    pub(super) fn new(stages: &[Stage]) -> World {
        let job = job(stages);
        World {
            now: 0,
            publishing: due(&job).into_iter().collect(),
            published: BTreeSet::new(),
            republishing: BTreeSet::new(),
            job,
            tasks: BTreeMap::new(),
            results: Vec::new(),
            consumed: 0,
            notes: BTreeMap::new(),
            manifests: BTreeMap::new(),
            attempts: Vec::new(),
            ended: None,
            outputs: 0,
            failures: BTreeSet::new(),
        }
    }

    pub(super) fn time(&self) -> DateTime {
        DateTime::from_millis(self.now)
    }

    pub(super) fn apply(&mut self, event: Event) {
        self.now += 100;
        let now = self.time();
        match event {
            Event::Publish => self.publish(true),
            Event::PublishAndDie => self.publish(false),
            Event::DieBeforePublish => self.publishing.clear(),
            Event::Deliver(n) => self.deliver(n),
            Event::Step(n, way) => self.step(n, way),
            Event::Expire(n) => {
                if let Some(attempt) = self.attempt(n) {
                    attempt.holds = false;
                }
            }
            Event::Die(n) => {
                if !self.attempts.is_empty() {
                    self.attempts.remove(n % self.attempts.len());
                }
            }
            Event::Apply => {
                if let Some(result) = self.results.get(self.consumed).cloned() {
                    self.change(|job| finished(job, &result, TIMES, now));
                    self.consumed += 1;
                }
            }
            Event::Replay(n) => {
                if !self.results.is_empty() {
                    let result = self.results[n % self.results.len()].clone();
                    self.change(|job| finished(job, &result, TIMES, now));
                }
            }
            Event::Sweep(minutes) => self.sweep(minutes),
            Event::Cancel => {
                self.change(|job| cancelled(job, TIMES, now));
            }
            Event::Retry => {
                if self.change(|job| retried(job, TIMES, now)) {
                    self.ended = None;
                }
            }
            Event::LoseBroker => {
                self.tasks.clear();
                self.results.clear();
                self.consumed = 0;
            }
        }
        self.check();
    }

    /// Like `advance::update`: the process that stores a change publishes the tasks that became due.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Job) -> bool) -> bool {
        let before = due(&self.job);
        let changed = change(&mut self.job);
        let tasks = due(&self.job);
        let new = newly_due(&before, &self.job);
        self.publishing
            .extend(new.into_iter().map(|stage| (stage, tasks[&stage])));
        changed
    }

    /// Like `publish::publish`, for every stage that a live process has made due.
    pub(super) fn publish(&mut self, marks: bool) {
        for (stage, id) in std::mem::take(&mut self.publishing) {
            self.publish_task(stage, id, marks);
        }
    }

    pub(super) fn publish_task(&mut self, stage: Stage, id: Uuid, marks: bool) {
        let first = self.published.insert(id);
        assert!(
            first || self.republishing.contains(&id),
            "{stage}: two processes published one task"
        );
        // One message per subject: a second copy is refused.
        self.tasks.entry((stage, id)).or_insert(0);
        if marks {
            let now = self.time();
            sent(&mut self.job, stage, id, TIMES, now);
        }
    }

    /// Continues without faults until all running work has ended.
    pub(super) fn settle_down(&mut self) {
        // Attempts without a lease are gone; the others continue.
        self.attempts.retain(|attempt| attempt.holds);
        for _ in 0..100 {
            self.apply(Event::Publish);
            for n in 0..3 {
                self.apply(Event::Deliver(n));
            }
            for _ in 0..4 {
                for n in 0..self.attempts.len() {
                    self.apply(Event::Step(n, Way::Succeed));
                }
            }
            self.apply(Event::Apply);
            self.apply(Event::Sweep(6));
            if self.job.status.is_terminal() && self.attempts.is_empty() && self.tasks.is_empty() {
                return;
            }
        }
        panic!("stuck: {:#?}\n{:?}\n{:?}", self.job, self.tasks, self.attempts);
    }
}
