//! Stored webhooks, messages and deliveries, and the signatures and retries of Standard Webhooks 1.0.0. No I/O.

mod delivery;
mod event;
mod hook;
mod message;
mod secret;
mod vault;

pub use delivery::{Attempt, Delivery, DeliveryState, pause};
pub use event::EventType;
pub use hook::{DisabledReason, Webhook};
pub use message::Message;
pub use secret::Secret;
pub use vault::Vault;
