//! Random orders of messages, crashes and requests, applied to the state machine with a broker, workers and a sweeper
//! in memory. A failure is shrunk to the shortest order that still shows it, and its seed is stored in
//! `proptest-regressions/`.

use super::{
    tests::{TIMES, job, progress},
    *,
};
use crate::job::{DispatchState, Job, JobStatus, StageStatus};
use mongodb::bson::DateTime;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;
use vidp_contract::{FailureCode, Outcome, Output, Progress, SkipCode, Stage, Success, TaskResult, Timings};

/// Deliveries of a task after which a worker gives up.
const ATTEMPT_LIMIT: u32 = 3;

/// The next event. The number selects one of the existing tasks, attempts or results.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A process publishes the stages that its change made due, and marks them as sent.
    Publish,
    /// A process publishes them and dies before it marks them as sent.
    PublishAndDie,
    /// A process dies between its change and the publish.
    DieBeforePublish,
    /// The broker delivers a task without a lease.
    Deliver(usize),
    /// An attempt takes its next step, with or without its lease.
    Step(usize, Way),
    /// An attempt's lease expires without its knowledge.
    Expire(usize),
    /// The worker dies.
    Die(usize),
    /// The API applies the next result.
    Apply,
    /// The API receives a result a second time.
    Replay(usize),
    /// The sweeper runs after this number of minutes.
    Sweep(i64),
    /// A client cancels the job.
    Cancel,
    /// A client retries the job.
    Retry,
    /// The broker loses its store.
    LoseBroker,
}

/// The outcome of a step of an attempt's work.
#[derive(Clone, Copy, Debug)]
enum Way {
    Succeed,
    Skip,
    Fail,
    /// Reports progress and continues.
    Progress,
    /// Returns the task to the queue.
    GiveBack,
}

/// One delivery and the progress of its worker.
#[derive(Clone, Debug)]
struct Attempt {
    task: (Stage, Uuid),
    number: u32,
    holds: bool,
    at: At,
}

#[derive(Clone, Debug)]
enum At {
    Work,
    /// The outputs are stored; the manifest is not.
    Claim(TaskResult),
    Publish(TaskResult),
    Acknowledge,
}

struct World {
    now: i64,
    job: Job,
    /// Stages that live processes made due and have not published yet.
    publishing: BTreeSet<(Stage, Uuid)>,
    /// Tasks that the stream has ever stored.
    published: BTreeSet<Uuid>,
    /// Tasks that the sweeper may publish once more.
    republishing: BTreeSet<Uuid>,
    /// The task stream, with the number of deliveries of each task.
    tasks: BTreeMap<(Stage, Uuid), u32>,
    results: Vec<TaskResult>,
    /// Number of results that the API's consumer has received.
    consumed: usize,
    manifests: BTreeMap<Stage, TaskResult>,
    attempts: Vec<Attempt>,
    /// Final statuses of the job, until a retry.
    ended: Option<(JobStatus, Vec<StageStatus>)>,
    outputs: u32,
    /// Tasks for which a worker reported a failure.
    failures: BTreeSet<Uuid>,
}

impl World {
    fn new(stages: &[Stage]) -> World {
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
            manifests: BTreeMap::new(),
            attempts: Vec::new(),
            ended: None,
            outputs: 0,
            failures: BTreeSet::new(),
        }
    }

    fn time(&self) -> DateTime {
        DateTime::from_millis(self.now)
    }

    fn apply(&mut self, event: Event) {
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

    fn attempt(&mut self, n: usize) -> Option<&mut Attempt> {
        let count = self.attempts.len().max(1);
        self.attempts.get_mut(n % count)
    }

    /// Like `advance::update`: the process that stores a change publishes the tasks that became due.
    fn change(&mut self, change: impl FnOnce(&mut Job) -> bool) -> bool {
        let before = due(&self.job);
        let changed = change(&mut self.job);
        let tasks = due(&self.job);
        let new = newly_due(&before, &self.job);
        self.publishing
            .extend(new.into_iter().map(|stage| (stage, tasks[&stage])));
        changed
    }

    /// Like `publish::publish`, for every stage that a live process has made due.
    fn publish(&mut self, marks: bool) {
        for (stage, id) in std::mem::take(&mut self.publishing) {
            self.publish_task(stage, id, marks);
        }
    }

    fn publish_task(&mut self, stage: Stage, id: Uuid, marks: bool) {
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

    /// Like `worker::delivery`, up to the handler.
    fn deliver(&mut self, n: usize) {
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
    fn step(&mut self, n: usize, way: Way) {
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

    /// Like `sweeper::reconcile_stage`, for every due stage.
    fn sweep(&mut self, minutes: i64) {
        self.now += minutes * 60_000;
        for stage in self.job.stages.keys().copied().collect::<Vec<_>>() {
            let now = self.time();
            match claim_stage(&mut self.job, stage, TIMES, now) {
                None => continue,
                Some(DispatchState::Pending) => {
                    let id = self.job.stages[&stage].task_id;
                    // The publishing process has died, or its claim has expired.
                    self.publishing.remove(&(stage, id));
                    self.republishing.insert(id);
                    self.publish_task(stage, id, true);
                    continue;
                }
                Some(DispatchState::Sent) => {}
            }
            let id = self.job.stages[&stage].task_id;
            let stored = self.results.iter().rev().find(|result| result.task_id == id);
            let known = match stored {
                Some(result) => Some(result.clone()),
                None if self.tasks.contains_key(&(stage, id)) => continue,
                None => self.manifests.get(&stage).cloned(),
            };
            match known {
                Some(result) => {
                    let result = TaskResult {
                        task_id: id,
                        ..result
                    };
                    self.change(|job| finished(job, &result, TIMES, now));
                }
                None => {
                    self.republishing.insert(id);
                    self.change(|job| lost(job, stage, id, now));
                }
            }
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

    /// Checks the invariants that hold after every event.
    fn check(&mut self) {
        let job = &self.job;
        for (stage, state) in &job.stages {
            let with_queue = state.dispatch.is_some();
            assert_eq!(with_queue, state.status.is_dispatched(), "{stage} {state:?}");
            // The outputs of a stage are those of the winning manifest.
            let outcome = self.manifests.get(stage).map(|won| &won.outcome);
            match (state.status, outcome) {
                (StageStatus::Succeeded, Some(Outcome::Succeeded(won))) => {
                    assert_eq!(state.outputs, won.outputs);
                }
                (StageStatus::Succeeded, other) => panic!("{stage} succeeded with {other:?}"),
                // A task from before a retry has no effect.
                (StageStatus::Failed, _) => assert!(self.failures.contains(&state.task_id), "{stage}"),
                _ => assert!(state.outputs.is_empty(), "{stage} {state:?}"),
            }
        }
        assert_eq!(job.status.is_terminal(), job.expires_at.is_some());
        let end = (
            job.status,
            job.stages.values().map(|state| state.status).collect(),
        );
        match &self.ended {
            Some(ended) => assert_eq!(*ended, end, "an ended job changed"),
            None if job.status.is_terminal() => {
                assert!(end.1.iter().all(|status| status.is_terminal()));
                self.ended = Some(end);
            }
            None => {}
        }
    }

    /// Continues without faults until all running work has ended.
    fn settle_down(&mut self) {
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

fn event() -> impl Strategy<Value = Event> {
    let way = prop_oneof![
        4 => Just(Way::Succeed),
        1 => Just(Way::Skip),
        2 => Just(Way::Fail),
        2 => Just(Way::Progress),
        2 => Just(Way::GiveBack),
    ];
    prop_oneof![
        3 => Just(Event::Publish),
        1 => Just(Event::PublishAndDie),
        1 => Just(Event::DieBeforePublish),
        5 => (0..4_usize).prop_map(Event::Deliver),
        9 => (0..6_usize, way).prop_map(|(n, way)| Event::Step(n, way)),
        2 => (0..6_usize).prop_map(Event::Expire),
        1 => (0..6_usize).prop_map(Event::Die),
        3 => Just(Event::Apply),
        1 => (0..6_usize).prop_map(Event::Replay),
        2 => (0..9_i64).prop_map(Event::Sweep),
        1 => Just(Event::Cancel),
        1 => Just(Event::Retry),
        1 => Just(Event::LoseBroker),
    ]
}

fn stages() -> impl Strategy<Value = &'static [Stage]> {
    prop_oneof![
        Just(&[Stage::Scale][..]),
        Just(&[Stage::Detect, Stage::Subtitle][..]),
        Just(&Stage::ALL[..]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_loses_a_job_or_changes_its_end(
        stages in stages(),
        events in prop::collection::vec(event(), 0..40),
    ) {
        let mut world = World::new(stages);
        for event in events {
            world.apply(event);
        }
        world.settle_down();
    }
}
