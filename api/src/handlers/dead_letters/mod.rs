//! `/api/v1/dead-letters`: messages that could not be processed. Operators manage those of every tenant.

pub(crate) mod discard;
mod find;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod redrive;
mod view;
