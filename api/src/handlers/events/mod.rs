//! Server-sent events (WHATWG HTML, "Server-sent events") about changed jobs, which a client can resume at any replica.
//!
//! An event contains the complete job, so the next event makes up for missed ones. The id of an event is the point from
//! which to resume: the revision of the job for one job, the position in MongoDB's change stream for all jobs.

pub(crate) mod feed;
pub(crate) mod job;
mod sse;
