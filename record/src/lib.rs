//! The record: the documents that VidP stores in MongoDB, and the state machine that changes them.
//!
//! * [`job`], [`source`], [`batch`], [`resumable`], [`webhook`], [`api_key`]: the documents.
//! * [`plan`]: the state machine of a job, without I/O.
//! * [`db`]: the only code that reads and writes MongoDB. [`changes`]: its change stream. [`missed`]: changes that a
//!   listener missed.
//! * [`view`]: a job as clients see it, over HTTP, in events and in webhooks.
//! * [`search`]: the form of texts for searches.
//! * [`tenant`], [`time`]: small shared definitions.
//!
//! This crate does not use HTTP, NATS or S3. To add a field to a document, give it `#[serde(default)]`, so that
//! documents of earlier releases stay readable.

pub mod api_key;
pub mod batch;
pub mod changes;
pub mod db;
pub mod job;
pub mod missed;
pub mod plan;
pub mod resumable;
pub mod search;
pub mod source;
pub mod tenant;
pub mod time;
pub mod view;
pub mod webhook;
