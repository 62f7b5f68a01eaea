//! HTTP as all handlers share it.

pub mod body;
pub mod cursor;
pub mod digest;
pub mod etag;
pub mod extract;
pub mod headers;
pub mod idempotency;
pub mod merge_patch;
pub mod options;
pub mod pace;
pub mod problem;
pub mod range;
pub mod source_policy;
