//! Fetches the sources of jobs by reference, and completes resumable and direct uploads.
//!
//! The job is stored first, so that it is not lost. A replica with a free slot claims it by compare-and-set, copies the
//! bytes to the job's key, and completes the job.

mod claimed;
mod copy;
mod run;
mod store;
mod upload;
mod web;

pub use claimed::LEASE;
pub use run::run;
