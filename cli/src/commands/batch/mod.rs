//! `vidp batch`: processes thousands of videos, each once, however often the command is stopped and started again.

mod command;
mod folder;
mod item;
mod items;
mod manifest;
mod process;
mod send;
mod state;
mod summary;

pub use command::{BatchCommand, run};
