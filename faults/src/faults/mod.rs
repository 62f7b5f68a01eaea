//! The faults, each a function that hurts the running system for a while and heals it again.

mod broker;
mod disks;
mod memory;
mod messages;
mod mixed;
mod network;
mod record;
mod services;
mod slow;
mod steps;

use crate::load::{Load, Rig};
use anyhow::Result;
use std::{fmt, pin::Pin, time::Duration};

/// The context of a running fault.
pub struct Scene<'a> {
    /// The system.
    pub rig: &'a Rig,
    /// The clients, which upload meanwhile.
    pub load: &'a Load,
    /// Everything that is left to chance comes from here.
    pub random: fastrand::Rng,
    /// How long.
    pub time: Duration,
    /// How many faults there were; more than one when they are mixed.
    pub count: u32,
}

/// This machine, or this user, cannot have the fault.
#[derive(Debug)]
pub struct Skipped(pub String);

impl std::error::Error for Skipped {}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {}", self.0)
    }
}

type Done<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// A kind of fault.
pub struct Fault {
    /// For `--only` and reports.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// It is over soon and heals itself: one of those that a soak mixes.
    pub mixes: bool,
    /// Hurts and heals.
    pub run: for<'a> fn(&'a mut Scene<'_>) -> Done<'a>,
}

macro_rules! faults {
    ($($name:literal $mixes:literal: $about:literal = $run:path,)*) => {
        /// All of them.
        pub const ALL: &[Fault] = &[$(Fault {
            name: $name,
            about: $about,
            mixes: $mixes,
            run: |scene| Box::pin($run(scene)),
        },)*];
    };
}

// The name, whether a soak mixes it, what it does, and its function.
faults! {
    "worker-kill" true: "a random worker gets SIGKILL every second or two" = services::worker_kill,
    "worker-freeze" true: "a worker is stopped for three leases and then continued" = services::worker_freeze,
    "worker-term" true: "a worker gets SIGTERM in the middle and must hand over and exit with 0" = services::worker_term,
    "api-kill" true: "the API gets SIGKILL while files come in" = services::api_kill,
    "api-kill-upload" true: "the API gets SIGKILL at 0, 25, 50, 75 and 99 % of an upload" = services::api_kill_upload,
    "long-task" false: "a task runs for ten leases" = services::long_task,
    "rolling" false: "every service is replaced, and the broker and MongoDB restarted, one after the other" = services::rolling,
    "client-gone" true: "clients hang up in the middle of a body" = services::client_gone,
    "slow-clients" false: "500 clients that never end their request" = slow::loris,
    "crash-steps" false: "each numbered step of the commit sequences is the last of its process" = steps::each,
    "broker-kill" true: "the broker gets SIGKILL and starts again, over and over" = broker::kill,
    "broker-freeze" true: "the broker is stopped; uploads are accepted meanwhile" = broker::freeze,
    "broker-wipe" true: "the broker's store is lost; then its streams, then its consumers" = broker::wipe,
    "broker-full" true: "the broker's disk is full" = disks::broker,
    "bucket-full" false: "the object store's disk is full" = disks::bucket,
    "scratch-full" true: "the workers' disk is full" = disks::scratch,
    "power-cut" true: "the broker loses what it had not written to its disk, twice" = disks::power_cut,
    "memory" false: "a file takes more memory than its worker has" = memory::hungry,
    "cuts" true: "each wire is refused, reset, silent, slow and cut in turn" = network::cuts,
    "s3-errors" true: "the object store answers 503, flips a byte, loses the answer of a completion" = network::s3_errors,
    "mongo-kill" true: "MongoDB gets SIGKILL and starts again" = record::kill,
    "mongo-freeze" true: "MongoDB is stopped for a while" = record::freeze,
    "echo" false: "tasks and results are delivered again and again" = messages::echo,
    "foreign" false: "messages that cannot be parsed" = messages::foreign,
    "mixed" false: "random ones of these, one each six seconds" = mixed::random,
}
