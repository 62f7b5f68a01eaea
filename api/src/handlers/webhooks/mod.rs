//! `/api/v1/webhooks`: receivers that VidP notifies when a job ends, by Standard Webhooks 1.0.0.
//!
//! `vidp_pipeline::webhooks` creates and sends the messages; [`deliveries`] shows their log.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod deliveries;
mod find;
pub(crate) mod get;
pub(crate) mod list;
mod requested;
pub(crate) mod rotate;
mod view;
