//! `/api/v1/batches`: creates many jobs by reference in one request, and acts on all jobs of a batch.

pub(crate) mod actions;
pub(crate) mod create;
mod document;
pub(crate) mod get;
mod items;
mod view;
