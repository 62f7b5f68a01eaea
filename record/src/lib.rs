//! What VidP knows: the documents in MongoDB, and what each event makes of them.
//!
//! * [`job`], [`source`], [`batch`], [`resumable`], [`webhook`], [`api_key`]: the documents.
//! * [`plan`]: the state machine of a job, without I/O.
//! * [`db`]: the only code that reads and writes MongoDB; [`changes`]: its change stream; [`missed`]: the part of it that a listener missed.
//! * [`view`]: a job as clients see it, over HTTP, in events and in webhooks.
//! * [`tenant`], [`time`]: small shared definitions.
//!
//! This crate knows nothing of HTTP, NATS and S3. To add a field to a document, give it `#[serde(default)]`: documents
//! of earlier releases stay readable.

pub mod api_key;
pub mod batch;
pub mod changes;
pub mod db;
pub mod job;
pub mod missed;
pub mod plan;
pub mod resumable;
pub mod source;
pub mod tenant;
pub mod time;
pub mod view;
pub mod webhook;
