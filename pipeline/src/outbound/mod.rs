//! Protection against server-side request forgery: clients' URLs (sources and webhooks) may lead to public addresses
//! only.
//!
//! A name is resolved when the connection is made. Addresses that are not public are dropped, and the connection uses
//! the checked addresses, so that a second DNS answer cannot redirect it. A host that is an IP address is checked
//! before the request and before each redirect.
//!
//! Responses may ask for a pause before the next request (`Retry-After`); `retry_after` reads it.

mod address;
mod client;
mod retry_after;
mod url;

pub use address::{Networks, may_connect};
pub use client::{client, redirects, refusal};
pub(crate) use retry_after::retry_after;
pub use url::{Refused, check};
