//! `/api/v1/uploads`: files that clients send straight to the object store by presigned URLs.
//!
//! The record of an upload is its job: the upload has the job's id, and the job is `uploading` until the client calls
//! `complete`.

pub(crate) mod complete;
pub(crate) mod create;
pub(crate) mod delete;
mod find;
pub(crate) mod get;
mod parts;
mod view;
