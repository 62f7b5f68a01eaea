//! Protection against server-side request forgery: clients' URLs (sources and webhooks) may lead to public addresses
//! only.
//!
//! A name is resolved when the connection is made. Addresses that are not public are dropped, and the connection uses
//! the checked addresses, so that a second DNS answer cannot redirect it. A host that is an IP address is checked
//! before the request and before each redirect.

mod address;
mod client;
mod url;

pub use address::may_connect;
pub use client::{client, redirects, refusal};
pub use url::{Refused, check};
