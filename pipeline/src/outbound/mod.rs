//! Which addresses this server may connect to when somebody else names them: URLs to fetch, and webhooks.
//!
//! Such a URL must not lead into the network that the API stands in (server-side request forgery). A name is resolved
//! when the connection is made, what is not public is dropped, and the connection goes to the very addresses that were
//! looked at: no second answer of a name server can lead elsewhere. A host that is an address is looked at before, in
//! redirects too.

mod address;
mod client;
mod url;

pub use address::may_connect;
pub use client::{client, redirects, refusal};
pub use url::{Refused, check};
