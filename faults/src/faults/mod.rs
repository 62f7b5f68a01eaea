//! The list of the kinds of fault. Each is a function that disturbs the running system for a while and then heals it.

mod broker;
mod disks;
mod fault;
mod memory;
mod messages;
mod mixed;
mod network;
mod record;
mod services;
mod slow_clients;
mod steps;

pub use fault::{Fault, Scene, Skipped};

macro_rules! faults {
    ($($name:literal $mixes:literal: $about:literal = $run:path,)*) => {
        /// All kinds of fault; the last one mixes the others.
        pub const ALL: &[Fault] = &[$(Fault {
            name: $name,
            about: $about,
            mixes: $mixes,
            run: |scene| Box::pin($run(scene)),
        },)*];
    };
}

// The name, whether a soak mixes it, its effect, and its function.
faults! {
    "worker-kill" true: "a random worker gets SIGKILL every second or two" = services::worker_kill,
    "worker-freeze" true: "a worker is stopped for three leases and then continued" = services::worker_freeze,
    "worker-term" true: "a worker gets SIGTERM during a task, hands it over and exits with 0" = services::worker_term,
    "worker-evict" false: "both workers of a stage get SIGTERM eight times during one task, without time to finish it" = services::worker_evict,
    "api-kill" true: "the API gets SIGKILL while clients upload" = services::api_kill,
    "api-kill-upload" true: "the API gets SIGKILL at 0, 25, 50, 75 and 99 % of an upload" = services::api_kill_upload,
    "long-task" false: "a task runs for ten leases" = services::long_task,
    "rolling" false: "every service is replaced, and the broker and MongoDB are restarted, one after the other" = services::rolling,
    "client-gone" true: "clients disconnect in the middle of a body" = services::client_gone,
    "slow-clients" false: "500 clients never complete their request" = slow_clients::slow_clients,
    "crash-steps" false: "a process crashes at each numbered step of the commit sequences" = steps::each,
    "broker-kill" true: "the broker gets SIGKILL and starts again, repeatedly" = broker::kill,
    "broker-freeze" true: "the broker is stopped; the API accepts uploads meanwhile" = broker::freeze,
    "broker-wipe" true: "the broker loses its store, then its task stream, then its consumers" = broker::wipe,
    "broker-full" true: "the broker's disk is full" = disks::broker,
    "bucket-full" false: "the object store's disk is full" = disks::bucket,
    "scratch-full" true: "the workers' disk is full" = disks::scratch,
    "power-cut" true: "the broker loses all data that it has not written to its disk, twice" = disks::power_cut,
    "memory" false: "a file needs more memory than its worker has" = memory::exceed_limit,
    "cuts" true: "each wire is refused, reset, silent, slow and cut in turn" = network::cuts,
    "s3-errors" true: "the object store answers 503, flips a byte, loses the answer of a completion" = network::s3_errors,
    "mongo-kill" true: "MongoDB gets SIGKILL and starts again, repeatedly" = record::kill,
    "mongo-freeze" true: "MongoDB is stopped for a while" = record::freeze,
    "echo" false: "tasks and results are published again, and all results are delivered again" = messages::echo,
    "foreign" false: "foreign programs publish messages that cannot be parsed" = messages::foreign,
    "mixed" false: "random faults that a soak mixes, one every six seconds" = mixed::random,
}
