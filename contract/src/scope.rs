use crate::named::named;

named! {
    /// Permission of an API key. No scope includes another.
    pub enum Scope {
        /// Read the tenant's jobs and their outputs.
        JobsRead = "jobs:read",
        /// Create, change and delete the tenant's jobs.
        JobsWrite = "jobs:write",
        /// Upload videos, and resume the resumable uploads of the same key.
        JobsCreate = "jobs:create",
        /// Read the tenant's webhooks and their messages.
        WebhooksRead = "webhooks:read",
        /// Create, change and delete the tenant's webhooks.
        WebhooksWrite = "webhooks:write",
        /// Operate the server, for every tenant.
        Admin = "admin",
    }
}

impl Scope {
    /// The scopes of a new key without a choice: those that a tenant's own server needs.
    pub const DEFAULT: [Scope; 4] = [
        Scope::JobsRead,
        Scope::JobsWrite,
        Scope::WebhooksRead,
        Scope::WebhooksWrite,
    ];
}
