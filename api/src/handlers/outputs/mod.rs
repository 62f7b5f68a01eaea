//! `/api/v1/jobs/{id}/outputs`: the files that the stages produced.

mod file_name;
mod find;
pub(crate) mod get;
pub(crate) mod link;
pub(crate) mod list;

pub(crate) use find::find;
