//! `/api/v1/jobs`: one uploaded video, its stages and their results.
//!
//! [`create`], [`form`] and [`by_reference`] accept a source; a `receiver` streams it to the object store.

pub(crate) mod actions;
pub(crate) mod by_reference;
pub(crate) mod create;
pub(crate) mod form;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod patch;
mod received;
mod receiver;
mod sink;
pub(crate) mod trace;
