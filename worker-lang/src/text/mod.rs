//! Text: from tokens to words, transcripts, captions and files. Pure.

pub(crate) mod captions;
pub(crate) mod formats;
pub(crate) mod language;
pub(crate) mod loops;
mod script;
mod spelling;
mod timing;
pub(crate) mod tokens;
pub(crate) mod transcript;
pub(crate) mod words;
