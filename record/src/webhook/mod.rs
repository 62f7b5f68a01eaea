//! Stored webhooks and deliveries, and the signatures and retries of Standard Webhooks 1.0.0. No I/O.

mod delivery;
mod event;
mod hook;
mod secret;

pub use delivery::{Attempt, Delivery, DeliveryState, pause};
pub use event::EventType;
pub use hook::{DisabledReason, Webhook};
pub use secret::Secret;
