//! ffprobe and ffmpeg under limits.
//!
//! The programs can read only the given file, only as one of the containers and codecs of [`Input::args`], and only
//! within [`MediaLimits`] and [`process_limits`]. An exit code of 0 does not prove success: callers compare the output
//! with the [`probe`] of the input.

mod ask;
mod error;
mod input;
mod limits;
mod measure;
mod packets;
mod parse;
mod pictures;
mod probe;
mod rows;
mod run;
mod sound;
mod tools;

#[cfg(test)]
pub(crate) use ask::Closed;
pub use error::MediaError;
pub use input::Input;
pub use limits::{MediaLimits, process_limits};
pub use packets::{Packets, TICKS, packets};
pub use parse::{AudioDetails, Probe, SourceStream, VideoDetails};
pub use pictures::{H264Header, Look, h264_header, key_frames};
pub use probe::{FirstFrames, first_frames, probe, probe_measured};
#[cfg(test)]
pub(crate) use run::parse as progress;
pub use run::{Progressed, run};
pub use sound::{has_matrix, is_surround, limiter, stereo_filter, surround_filter};
pub use tools::Tools;

#[cfg(test)]
mod tests;
