//! The terminal: output for people and programs, progress, reports, exit codes, Ctrl-C, and the browser beside it.

pub mod browser;
pub mod exit;
pub mod interrupt;
pub mod output;
pub mod progress;
pub mod report;
pub mod table;
