//! ffprobe and ffmpeg, under guards.
//!
//! Whatever a file claims to be, the programs may read only that file, as one of the ordinary containers and codecs
//! of [`Input::args`], within [`MediaLimits`] and the process limits of [`process_limits`]. An exit code of 0 is no
//! proof of anything: a caller compares what came out with what [`probe`] said of what went in.

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
