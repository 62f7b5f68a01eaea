//! Listening to whole tracks, and the search for the track and the channel that hold speech.

mod feed;
mod search;
mod source;

pub(crate) use feed::feed;
pub(crate) use search::{Silent, search};
pub(crate) use source::Source;
