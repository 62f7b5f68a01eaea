//! Tests of the API process over HTTP, with real NATS, MongoDB and S3 servers. The tests play the workers: they pull tasks
//! and publish results.

mod access;
mod batches;
mod bounds;
mod browser;
mod events;
mod harness;
mod jobs;
mod keys;
mod limits;
mod messages;
mod metrics;
mod old_documents;
mod outages;
mod outputs;
mod patch;
mod processing;
mod quotas;
mod repeats;
mod schema;
mod standards;
mod turns;
mod uploads;
mod vanished;
mod webhooks;
