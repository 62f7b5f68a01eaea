//! The worker loop against a real S3 server and a real NATS.

mod harness;
mod lanes;
mod outages;
mod rights;
mod stops;
mod worker;
