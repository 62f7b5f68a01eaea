//! The `scale` stage, step by step: probe → [`ladder`] → [`encode`] (with [`graph`], [`codec`], [`budget`] and
//! `command`) → [`verify`] → [`preview`] → store. [`scale`] is the whole of it.

pub mod budget;
pub mod codec;
mod command;
mod config;
pub mod encode;
pub mod graph;
pub mod ladder;
pub mod preview;
mod scale;
pub mod verify;

pub use config::{Config, Settings};
pub use scale::scale;
