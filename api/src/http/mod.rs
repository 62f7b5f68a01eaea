//! HTTP features that the handlers share.

pub(crate) mod body;
pub(crate) mod browser;
pub(crate) mod cursor;
pub(crate) mod digest;
pub(crate) mod disposition;
pub(crate) mod etag;
pub(crate) mod extract;
pub(crate) mod gap;
pub(crate) mod headers;
pub(crate) mod idempotency;
pub(crate) mod merge_patch;
pub(crate) mod object;
pub(crate) mod options;
pub(crate) mod pace;
pub(crate) mod prefix;
pub(crate) mod problem;
pub(crate) mod range;
pub(crate) mod source_policy;
