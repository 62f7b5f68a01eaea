//! The whole system: `vidp up` with real engines and workers, through HTTP and the command line.

mod bad_input;
mod collector;
mod failures;
mod keys;
mod media;
mod observe;
mod pipeline;
mod stack;
mod up;
mod walkthrough;
