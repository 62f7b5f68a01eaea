//! The `scale` stage: renditions, a poster and a storyboard of a video.
//!
//! [`scale()`] runs these steps: probe, `ladder`, [`encode()`], `verify`, [`preview`], store. The modules `ladder`,
//! `graph`, `codec`, `budget` and `grid` are pure; `command` builds ffmpeg's arguments from them.

mod budget;
mod codec;
mod command;
mod config;
mod encode;
mod graph;
mod grid;
mod job;
mod ladder;
pub mod preview;
mod scale;
mod targets;
mod verify;

pub use config::{Config, Settings};
pub use encode::encode;
pub use job::{Job, OnProgress, Rendition};
pub use ladder::Rung;
pub use scale::scale;
