//! The whole system: `vidp up` with real engines and workers, through HTTP and the command line.

mod bad_input;
mod batch;
mod broken;
mod browser;
mod collector;
mod commands;
mod failures;
mod growing;
mod intruder;
mod keys;
mod media;
mod models;
mod observe;
mod parts;
mod pipeline;
mod stack;
mod terminal;
mod up;
mod walkthrough;
mod zoo;
