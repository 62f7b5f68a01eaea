//! Authentication: API keys, and the caller that a key stands for.

mod identity;
pub(crate) mod keys;
mod token;

pub(crate) use identity::Caller;
pub(crate) use token::Token;
