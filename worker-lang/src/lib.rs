//! Speech in videos: detection of the spoken language, transcripts and captions.
//!
//! The modules form floors, and imports point down only: the stages [`detect`] and [`subtitle`] use `listen` (tracks and
//! channels with speech) and `transcribe`, which use `model` (whisper.cpp), `audio` (decoding and voice activity) and
//! `text` (words, languages and captions).

mod audio;
pub mod bench;
pub mod config;
pub mod detect;
mod listen;
mod model;
pub mod subtitle;
mod text;
mod transcribe;

#[cfg(test)]
mod tests;

pub use model::{engine::Engine, fetch::fetch_models};
