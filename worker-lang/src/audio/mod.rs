//! Audio of a track: decoding, windows to listen to, voice activity, and speech without its silences.

pub(crate) mod chunk;
pub(crate) mod decoder;
pub(crate) mod meter;
pub(crate) mod mix;
pub(crate) mod pack;
pub(crate) mod packer;
mod pipe;
pub(crate) mod speech;
pub(crate) mod track;
pub(crate) mod vad;
pub(crate) mod windows;
