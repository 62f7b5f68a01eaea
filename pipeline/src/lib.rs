//! What happens to a job, from the stored upload to the last webhook, without HTTP.
//!
//! * [`advance`]: the one door through which a job is stored and changed. [`quiet`]: the changes that nobody else sees.
//! * [`results`], [`sweeper`], [`fetch`], [`webhooks`]: loops that run in every replica.
//! * [`cancel`], [`removal`], [`batch_actions`], [`resumables`]: what a request, or a loop, does to jobs and their objects.
//! * [`outbound`]: the addresses that clients' URLs may lead to. [`part_hashes`]: hashes of an upload's parts.
//! * [`metrics`]: the metrics of all of this.
//!
//! To react to a new event of a job, write a pure function in `vidp_record::plan` and call it through [`advance::update`]:
//! publishing, webhooks, metrics and the fetcher follow by themselves.

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
