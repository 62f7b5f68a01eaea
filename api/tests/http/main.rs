//! The API as a process of its own, through HTTP, with a real NATS, MongoDB and S3 server. The tests play the
//! workers: they pull tasks and publish results, as any worker would.

mod access;
mod batches;
mod dead_letters;
mod direct;
mod events;
mod figures;
mod harness;
mod jobs;
mod keys;
mod limits;
mod outages;
mod outputs;
mod patch;
mod processing;
mod references;
mod repeats;
mod schema;
mod tus;
mod uploads;
mod webhooks;
