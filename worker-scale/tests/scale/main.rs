//! Encodes sources of many kinds to renditions, with the real ffmpeg.

mod clip;
mod failures;
mod limits;
mod outputs;
mod pictures;
mod streams;
