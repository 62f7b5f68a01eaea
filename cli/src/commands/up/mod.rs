//! `vidp up`: the whole system on a single machine.

#[macro_use]
mod say;
mod arguments;
mod command;
mod engines;
mod models;
mod service;
mod state;
mod stopping;
mod system;

pub use arguments::Up;
pub use command::run;
pub use stopping::Stopping;
pub use system::System;
