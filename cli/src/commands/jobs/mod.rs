//! `vidp jobs`, `cancel`, `retry`, `rm` and `events`.

pub mod change;
mod columns;
pub mod events;
pub mod list;
