//! The store against a real S3 server.

mod harness;
mod ranges;
mod rights;
mod store;
