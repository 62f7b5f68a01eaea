//! Tenants: a job, batch, upload or webhook belongs to one, and other tenants cannot see it.

/// The tenant of every request while authentication is off.
pub const LOCAL_TENANT: &str = "local";
