//! The files that stages store.

mod file;
mod stream_part;
mod stream_set;

pub use file::OutputFile;
pub use stream_part::StreamPart;
pub use stream_set::{Segment, StreamAudio, StreamImages, StreamSet, StreamTrack, StreamVideo};
