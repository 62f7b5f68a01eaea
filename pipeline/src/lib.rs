//! Processing of jobs from the stored upload to the last webhook, without HTTP.
//!
//! * [`advance`]: the only path by which a job is stored and changed. [`quiet`]: changes without consequences.
//! * [`results`], [`sweeper`], [`orphans`], [`upkeep`], [`fetch`], [`webhooks`]: loops that run in every replica.
//! * [`publish`]: tasks to the queue. [`cancel`], [`removal`], [`batch_actions`], [`resumables`]: operations on jobs and their objects, for requests and
//!   loops.
//! * [`outbound`]: protection against clients' URLs that lead into the internal network. [`part_hashes`]: hashes of an
//!   upload's parts. [`pace`]: the minimum rate of a transfer. [`quota`]: the limits of each tenant.
//! * [`metrics`]: the metrics of the pipeline.
//!
//! To react to a new event of a job, write a pure function in `vidp_record::plan` and call it through
//! [`advance::update`]: it publishes tasks, announces to webhooks, counts metrics and wakes the fetcher.

pub mod advance;
pub mod batch_actions;
pub mod cancel;
pub mod fetch;
pub mod metrics;
pub mod orphans;
pub mod outbound;
pub mod pace;
pub mod part_hashes;
mod pipeline;
mod places;
pub mod publish;
pub mod quiet;
pub mod quota;
mod rejection;
pub mod removal;
pub mod results;
pub mod resumables;
pub mod sweeper;
pub mod upkeep;
pub mod webhooks;

pub use pipeline::{Pipeline, Settings, Shared};
