//! The HTTP API, as a client uses it.

mod backoff;
mod connection;
mod events;
mod failure;
mod follow;
mod job;
mod reference;
mod resumable;
mod source_file;
mod upload;

pub use backoff::Backoff;
pub use connection::Client;
pub use events::{Event, Events};
pub use failure::Failure;
pub use job::{Job, Output, Problem, Source, StageState, job_path, page_path, path_segment};
pub use source_file::content_type;
pub use upload::Upload;
