//! Webhooks by Standard Webhooks 1.0.0: [`announce()`] turns a job's end into deliveries, [`run`] sends them.

mod announce;
mod attempt;
mod send;

pub use announce::announce;
pub use send::run;
