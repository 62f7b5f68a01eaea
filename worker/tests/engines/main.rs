//! The worker loop against a real S3 server and a real NATS.

mod handovers;
mod harness;
mod lanes;
mod offers;
mod outages;
mod parts;
mod rights;
mod stops;
mod vanished;
mod worker;
