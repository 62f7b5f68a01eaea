//! Webhooks by Standard Webhooks 1.0.0: [`announce()`] creates the deliveries of an announcement, [`run`] sends them.

mod announce;
mod attempt;
mod send;

pub use announce::announce;
pub use send::run;
