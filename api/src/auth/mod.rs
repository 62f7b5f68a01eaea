//! API keys, and the caller that a key stands for.

mod identity;
pub mod keys;
mod token;

pub use identity::Caller;
pub use token::Token;
