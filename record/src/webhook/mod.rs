//! Webhooks as they are stored, and what Standard Webhooks 1.0.0 says of their messages. No I/O.

mod delivery;
mod event;
mod hook;
mod secret;

pub use delivery::{Attempt, Delivery, DeliveryState, pause};
pub use event::EventType;
pub use hook::{DisabledReason, Webhook};
pub use secret::Secret;
