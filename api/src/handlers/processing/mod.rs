//! `/api/v1/processing`: the endpoints of the first VidP, as views of jobs. They store nothing beyond the job.

pub(crate) mod create;
pub(crate) mod get;
mod kind;
pub(crate) mod languages;
pub(crate) mod list;
mod view;
