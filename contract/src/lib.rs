//! The contract between all parts of VidP: names, messages, object keys, options and codes.
//!
//! Nothing here does I/O. Messages are JSON in `snake_case` with UUIDv7 ids and RFC 3339 UTC times; within a
//! version only optional fields are added, and a reader ignores the fields it does not know. The tests read and write
//! one golden file for each message in `contract/wire/`.

mod check;
mod code;
mod hex;
pub mod keys;
mod language;
mod media;
mod merge_patch;
mod named;
mod options;
mod output;
mod progress;
mod report;
mod result;
mod scope;
mod stage;
pub mod streams;
mod task;
mod timestamp;
mod trace_parent;

pub use check::MAX_DETAIL;
pub use code::{FailureCode, SkipCode};
pub use hex::hex;
pub use language::{LANGUAGES, language_code, language_name, whisper_code};
pub use media::{
    AudioTrack, DropReason, MediaFacts, SoundReport, StreamFate, StreamKind, StreamReport, VideoTrack,
};
pub use merge_patch::merge_patch;
pub use options::{
    AudioLayout, Codec, DetectOptions, JobOptions, Rendition, ScaleOptions, SubtitleFormat, SubtitleOptions,
};
pub use output::{
    OutputFile, Segment, StreamAudio, StreamImages, StreamPart, StreamSet, StreamTrack, StreamVideo,
};
pub use progress::{PartCounts, Progress, StreamProgress};
pub use report::{
    CaptionsReport, DetectReport, Language, LanguageProbability, LanguageWindow, Made, RenditionReport,
    ScaleReport, SubtitleReport,
};
pub use result::{Outcome, Output, Success, TaskResult, Timings};
pub use scope::Scope;
pub use stage::{Lane, Stage};
pub use task::{PartOffer, Source, Task, Work};
pub use timestamp::Timestamp;
pub use trace_parent::TraceParent;

#[cfg(test)]
mod wire_tests;
