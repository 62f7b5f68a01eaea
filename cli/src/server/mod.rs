//! The server and the API key: from flags, then environment, then a profile of the configuration file.

mod argument;
mod choice;
mod config;
mod flags;

pub use argument::Server;
pub use choice::Choice;
pub use config::{Config, Profile, readable_by_others};
