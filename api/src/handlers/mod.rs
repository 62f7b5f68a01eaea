//! The operations of the API, one folder or file per area.

pub mod batches;
pub mod dead_letters;
pub mod docs;
pub mod events;
pub mod health;
pub mod jobs;
pub mod keys;
pub mod outputs;
pub mod page;
pub mod processing;
pub mod tus;
pub mod uploads;
pub mod webhooks;
