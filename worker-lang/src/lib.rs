//! Speech: which language is spoken in a video, and what is said.

pub mod audio;
pub mod captions;
pub mod config;
pub mod detect;
pub mod engine;
pub mod fetch;
pub mod formats;
pub mod language;
pub mod model;
pub mod pack;
pub mod script;
pub mod speech;
pub mod subtitle;
pub mod transcribe;
pub mod whisper;
pub mod windows;
pub mod words;

#[cfg(test)]
mod tests;
