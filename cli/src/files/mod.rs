//! Files on this machine: hashes, downloads, positions of uploads, and the user's folders.

pub mod download;
pub mod hash;
pub mod part;
pub mod upload_position;
pub mod user_folder;
