//! `/api/v1/jobs`: a job is one uploaded video and what is made of it.

pub mod actions;
pub mod by_reference;
pub mod create;
pub mod form;
pub mod get;
pub mod list;
pub mod patch;
mod received;
mod receiver;
pub mod trace;
