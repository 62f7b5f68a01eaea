//! ffprobe and ffmpeg under limits.
//!
//! The programs can read only the given file, only as one of the containers and codecs of [`Input::args`], and only
//! within [`MediaLimits`] and [`process_limits`]. An exit code of 0 does not prove success: callers compare the output
//! with the [`probe`] of the input.

mod error;
mod input;
mod limits;
mod parse;
mod probe;
mod run;
mod tools;

pub use error::MediaError;
pub use input::Input;
pub use limits::{MediaLimits, process_limits};
pub use parse::{AudioDetails, Probe, VideoDetails};
pub use probe::{measure, probe};
#[cfg(test)]
pub(crate) use run::parse as progress;
pub use run::{Progressed, input_bytes, run};
pub use tools::Tools;

#[cfg(test)]
mod tests;
