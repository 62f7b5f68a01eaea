//! Tests in Debian's Chromium.

mod page;
mod players;
