//! `/files`: resumable uploads by [tus](https://tus.io/protocols/resumable-upload) 1.0.0, with its extensions creation,
//! creation-with-upload, termination, checksum, expiration and concatenation.
//!
//! An upload session is a multipart upload of the object store, whose parts have one size, and a record of its offset.
//! Bytes that do not fill a part are stored as a separate object, the tail, so that any replica can continue with the
//! next request. The finished upload becomes the job with the same id.

pub(crate) mod append;
mod checksum;
pub(crate) mod create;
pub(crate) mod delete;
mod find;
pub(crate) mod head;
pub(crate) mod headers;
mod metadata;
pub(crate) mod options;
pub(crate) mod override_method;
mod receive;
