//! The store and the worker loop against a real S3 server and a real NATS.

mod harness;
mod store;
mod worker;
