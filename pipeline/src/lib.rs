//! Processing of jobs from the stored upload to the last webhook, without HTTP.
//!
//! * [`advance`]: the only path by which a job is stored and changed. [`quiet`]: changes without consequences.
//! * [`results`], [`sweeper`], [`fetch`], [`webhooks`]: loops that run in every replica.
//! * [`cancel`], [`removal`], [`batch_actions`], [`resumables`]: operations on jobs and their objects, for requests and
//!   loops.
//! * [`outbound`]: protection against clients' URLs that lead into the internal network. [`part_hashes`]: hashes of an
//!   upload's parts.
//! * [`metrics`]: the metrics of the pipeline.
//!
//! To react to a new event of a job, write a pure function in `vidp_record::plan` and call it through
//! [`advance::update`]: it publishes tasks, announces to webhooks, counts metrics and wakes the fetcher.

pub mod advance;
pub mod batch_actions;
pub mod cancel;
pub mod fetch;
pub mod metrics;
pub mod outbound;
pub mod part_hashes;
mod pipeline;
mod publish;
pub mod quiet;
pub mod removal;
pub mod results;
pub mod resumables;
pub mod sweeper;
pub mod webhooks;

pub use pipeline::{Pipeline, Settings, Shared};
