//! Settings of a transcription, and its units of work.

use crate::audio::pack::Packed;

/// Settings of a transcription.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Code of the spoken language. `None` means that it is detected from the first speech.
    pub(crate) language: Option<String>,
    /// Translate to English.
    pub(crate) translate: bool,
    /// Windows that are transcribed at the same time. Each has its own state (about 180 MB with the base model).
    pub(crate) lanes: usize,
    /// Threads of the model in each lane.
    pub(crate) threads: usize,
}

/// A window of packed speech that waits for a lane.
pub(super) struct Job {
    /// Position of the window in the track.
    pub(super) number: usize,
    /// The speech.
    pub(super) packed: Packed,
    /// Code of the spoken language.
    pub(super) language: String,
}
