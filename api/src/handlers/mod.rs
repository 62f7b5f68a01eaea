//! The operations of the API, one folder or file per area.

pub(crate) mod batches;
pub(crate) mod dead_letters;
pub(crate) mod docs;
pub(crate) mod embed;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod outputs;
pub(crate) mod page;
pub(crate) mod playback;
pub(crate) mod processing;
pub(crate) mod tus;
pub(crate) mod uploads;
pub(crate) mod webhooks;
