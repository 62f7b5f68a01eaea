//! The `scale` stage: renditions, a poster and a storyboard of a video.
//!
//! [`scale()`] runs these steps: probe, `ladder`, [`encode()`], `verify`, `captions`, `stream`, [`preview`], store. A long film is encoded in `parts`. The modules
//! `ladder`, `graph`, `codec`, `budget`, `grid` and `verify` are pure; `command` builds ffmpeg's arguments from them.

mod budget;
mod captions;
mod codec;
mod command;
mod config;
mod copy;
mod encode;
mod graph;
mod grid;
mod job;
mod ladder;
mod parts;
pub mod preview;
mod read_back;
mod scale;
mod sound;
mod source;
mod stream;
mod targets;
mod tracks;
mod verify;

pub use captions::{Captions, Subtitles};
pub use config::{Config, Settings};
pub use encode::encode;
pub use job::{Encoded, Job, OnProgress, Rendition};
pub use ladder::Rung;
pub use scale::{Report, scale};
pub use sound::track::Gains;
pub use source::{describe, report};
pub use stream::Stream;
