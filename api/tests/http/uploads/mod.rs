//! The ways in which a source arrives.

mod bodies;
mod direct;
pub(crate) mod references;
mod tus;
mod tus_js;
