//! The models: their files, whisper.cpp, and the engine that all tasks of a process share.

pub(crate) mod engine;
pub(crate) mod fetch;
mod file;
pub(crate) mod whisper;
