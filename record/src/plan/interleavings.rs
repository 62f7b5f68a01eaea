//! Every order in which messages, crashes and people can come, as far as chance finds it: the state machine with a
//! broker, workers and a sweeper in memory, driven by random events. A failure is shrunk to the shortest order that
//! still shows it, and its seed is kept in `proptest-regressions/`.

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

const LIMIT: u32 = 3;

/// What happens next. The number chooses among what is there.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A process publishes the stages that its change made due, and marks them as sent.
    Publish,
    /// A process publishes them, and dies before it marks them.
    PublishAndDie,
    /// A process dies between its change and the publish.
    DieBeforePublish,
    /// The broker delivers a task that nobody holds.
    Deliver(usize),
    /// An attempt goes on by a step, whether it still holds its lease or not.
    Step(usize, Way),
    /// An attempt's lease runs out; it does not know.
    Expire(usize),
    /// The worker dies.
    Die(usize),
    /// The API takes the next result.
    Apply,
    /// The API gets some result once more.
    Replay(usize),
    /// The sweeper comes round after so many minutes.
    Sweep(i64),
    /// People.
    Cancel,
    Retry,
    /// The broker loses everything that it stored.
    LoseBroker,
}

/// How an attempt's work ends, when it is at that point.
#[derive(Clone, Copy, Debug)]
enum Way {
    Succeed,
    Skip,
    Fail,
    GoOn,
    GiveBack,
}

/// One delivery and how far its worker is.
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
    /// Stages that live processes have made due and not published yet.
    publishing: BTreeSet<(Stage, Uuid)>,
    /// Tasks that the stream has stored at some time.
    published: BTreeSet<Uuid>,
    /// Tasks that the sweeper may publish once more.
    republishing: BTreeSet<Uuid>,
    /// The task stream, with how often each was delivered.
    tasks: BTreeMap<(Stage, Uuid), u32>,
    results: Vec<TaskResult>,
    /// Results that the API's consumer has had.
    taken: usize,
    manifests: BTreeMap<Stage, TaskResult>,
    attempts: Vec<Attempt>,
    /// How the job ended, until somebody asks for a retry.
    ended: Option<(JobStatus, Vec<StageStatus>)>,
    outputs: u32,
    /// Tasks that some worker said to have failed.
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
            taken: 0,
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

    fn happen(&mut self, event: Event) {
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
                if let Some(result) = self.results.get(self.taken).cloned() {
                    self.change(|job| finished(job, &result, TIMES, now));
                    self.taken += 1;
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
                self.taken = 0;
            }
        }
        self.check();
    }

    fn attempt(&mut self, n: usize) -> Option<&mut Attempt> {
        let count = self.attempts.len().max(1);
        self.attempts.get_mut(n % count)
    }

    /// As `advance::update`: the process that stores a change publishes what the change made due.
    fn change(&mut self, change: impl FnOnce(&mut Job) -> bool) -> bool {
        let before = due(&self.job);
        let changed = change(&mut self.job);
        let tasks = due(&self.job);
        let new = newly_due(&before, &self.job);
        self.publishing
            .extend(new.into_iter().map(|stage| (stage, tasks[&stage])));
        changed
    }

    /// As `publish::publish`, for every stage that a live process has made due.
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

    /// As `worker::delivery`, up to the handler.
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
        let delivered = self.tasks.get_mut(&task).expect("it was just there");
        *delivered += 1;
        let number = *delivered;
        let at = match self.manifests.get(&task.0) {
            Some(known) => At::Publish(TaskResult {
                task_id: task.1,
                ..known.clone()
            }),
            None if number > LIMIT => At::Publish(self.answer(task, number, FailureCode::WorkerDied)),
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

    /// As `worker::run` and `worker::commit`. An attempt without its lease goes on as well: it may have looked just
    /// before it was frozen.
    fn step(&mut self, n: usize, way: Way) {
        let Some(attempt) = self.attempt(n).cloned() else {
            return;
        };
        let (task, number, now) = (attempt.task, attempt.number, self.time());
        let next = match (attempt.at, way) {
            (At::Work, Way::GoOn) => {
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
            (At::Work, Way::Fail) => Some(At::Publish(self.answer(task, number, FailureCode::DamagedMedia))),
            (At::Work, Way::GiveBack) if number >= LIMIT => Some(At::Publish(self.answer(
                task,
                number,
                FailureCode::AttemptsExhausted,
            ))),
            (At::Work, Way::GiveBack) => None,
            (At::Claim(result), _) => {
                // The first writer wins, a later one adopts the winner.
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

    /// As `sweeper::reconcile_stage`, for every stage whose time has come.
    fn sweep(&mut self, minutes: i64) {
        self.now += minutes * 60_000;
        for stage in self.job.stages.keys().copied().collect::<Vec<_>>() {
            let now = self.time();
            match claim_stage(&mut self.job, stage, TIMES, now) {
                None => continue,
                Some(DispatchState::Pending) => {
                    let id = self.job.stages[&stage].task_id;
                    // Its process has died, or takes longer than its claim.
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

    fn answer(&self, task: (Stage, Uuid), attempt: u32, code: FailureCode) -> TaskResult {
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

    /// Each attempt stores outputs of its own.
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
            ..self.answer(task, attempt, FailureCode::Internal)
        }
    }

    /// What must hold after every event.
    fn check(&mut self) {
        let job = &self.job;
        for (stage, state) in &job.stages {
            let with_queue = state.dispatch.is_some();
            assert_eq!(with_queue, state.status.is_dispatched(), "{stage} {state:?}");
            // Whatever a stage says that it made is what won the manifest.
            let outcome = self.manifests.get(stage).map(|won| &won.outcome);
            match (state.status, outcome) {
                (StageStatus::Succeeded, Some(Outcome::Succeeded(won))) => {
                    assert_eq!(state.outputs, won.outputs);
                }
                (StageStatus::Succeeded, other) => panic!("{stage} succeeded with {other:?}"),
                // A task of before a retry has no say any more.
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

    /// No more faults: everything that is under way comes to its end.
    fn settle_down(&mut self) {
        // Who has lost the lease is gone, who has it goes on.
        self.attempts.retain(|attempt| attempt.holds);
        for _ in 0..100 {
            self.happen(Event::Publish);
            for n in 0..3 {
                self.happen(Event::Deliver(n));
            }
            for _ in 0..4 {
                for n in 0..self.attempts.len() {
                    self.happen(Event::Step(n, Way::Succeed));
                }
            }
            self.happen(Event::Apply);
            self.happen(Event::Sweep(6));
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
        2 => Just(Way::GoOn),
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
            world.happen(event);
        }
        world.settle_down();
    }
}
