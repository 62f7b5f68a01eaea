//! Random events.

use proptest::prelude::*;
use vidp_contract::Stage;

/// The next event. The number selects one of the existing tasks, attempts or results.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
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
pub(super) enum Way {
    Succeed,
    Skip,
    Fail,
    /// Reports progress and continues.
    Progress,
    /// Returns the task to the queue after a failure.
    GiveBack,
    /// Hands the task over to another worker.
    HandOver,
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let way = prop_oneof![
        4 => Just(Way::Succeed),
        1 => Just(Way::Skip),
        2 => Just(Way::Fail),
        2 => Just(Way::Progress),
        2 => Just(Way::GiveBack),
        2 => Just(Way::HandOver),
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

pub(super) fn stages() -> impl Strategy<Value = &'static [Stage]> {
    prop_oneof![
        Just(&[Stage::Scale][..]),
        Just(&[Stage::Detect, Stage::Subtitle][..]),
        Just(&Stage::ALL[..]),
    ]
}
