//! `/api/v1/jobs/{id}/playback` and `/api/v1/play/{grant}`: playback of a stream by clients without an API key.

pub(crate) mod create;
mod find;
pub(crate) mod get;
pub(crate) mod revoke;
