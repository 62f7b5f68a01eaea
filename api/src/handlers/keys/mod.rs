//! `/api/v1/keys`: API keys. Operators manage the keys of every tenant.

pub(crate) mod create;
mod find;
pub(crate) mod get;
mod issue;
pub(crate) mod list;
pub(crate) mod revoke;
pub(crate) mod rotate;
mod view;
