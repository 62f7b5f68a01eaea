//! The subcommands, one module each.

pub mod batch;
pub mod dead;
pub mod demo;
pub mod doctor;
pub mod jobs;
pub mod keys;
pub mod manual;
pub mod model;
pub mod options;
pub mod play;
pub mod submit;
pub mod up;
pub mod watch;
