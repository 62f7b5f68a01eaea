//! The S3-compatible object store. Uses only common S3 features: multipart, ranges, presigned URLs, `If-None-Match`.

mod client;
mod error;
mod list;
mod multipart;
mod objects;
mod parts;
mod presign;
mod ranges;
mod transfer;
mod uploads;

pub use client::Store;
pub use error::StoreError;
pub use multipart::Multipart;
pub use objects::{PutIfAbsent, Stored};
pub use parts::{Parts, part_size};
pub use ranges::{Blocks, Ranges};
