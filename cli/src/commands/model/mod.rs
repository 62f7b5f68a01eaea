//! `vidp model`: speech models in whisper.cpp's format.

mod check;
mod command;
mod ct2;
mod fetch;
mod ggml;
mod import;
mod list;
mod make;
mod mel;
mod place;
mod published;
mod silero;
mod whisper;

pub use check::{Model, check};
pub use command::{Check, ModelCommand, run};
pub use fetch::Fetch;
pub use import::Import;
pub use list::List;
pub use make::Make;
pub use place::{DEFAULT_MODEL, VAD_MODEL, find};
