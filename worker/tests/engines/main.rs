//! The worker loop against a real S3 server and a real NATS.

mod harness;
mod rights;
mod worker;
