//! Tests of the API process over HTTP, with real NATS, MongoDB and S3 servers. The tests play the workers: they pull tasks
//! and publish results.

mod access;
mod batches;
mod dead_letters;
mod events;
mod harness;
mod jobs;
mod keys;
mod limits;
mod metrics;
mod old_documents;
mod outages;
mod outputs;
mod patch;
mod processing;
mod publishing;
mod repeats;
mod schema;
mod uploads;
mod webhooks;
