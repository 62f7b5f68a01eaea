//! Tenants. A job, batch, upload or webhook belongs to one tenant and is invisible to all others.

/// The tenant of every request while authentication is off.
pub const LOCAL_TENANT: &str = "local";
