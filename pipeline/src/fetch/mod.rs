//! Fetches the sources of jobs by reference. The job is stored first, so that nothing is forgotten; whichever replica has
//! time claims it by compare-and-set, copies the bytes as an upload would bring them, and completes the job.

mod claimed;
mod copy;
mod run;
mod store;
mod upload;
mod web;

pub use claimed::LEASE;
pub use run::run;
