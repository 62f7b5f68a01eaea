//! Stored API keys and the scopes that they grant.

use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use uuid::Uuid;

/// Permission of an API key. No scope includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// Read the tenant's jobs and their outputs.
    #[serde(rename = "jobs:read")]
    JobsRead,
    /// Create, change and delete the tenant's jobs.
    #[serde(rename = "jobs:write")]
    JobsWrite,
    /// Operate the server, for every tenant.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Scope; 3] = [Scope::JobsRead, Scope::JobsWrite, Scope::Admin];

    /// Returns the name in documents and problems.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::JobsRead => "jobs:read",
            Scope::JobsWrite => "jobs:write",
            Scope::Admin => "admin",
        }
    }
}

/// A stored API key, without its secret. MongoDB, collection `keys`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// UUIDv7, the first part of the key's text.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// Display name, usually the purpose of the key.
    pub name: String,
    /// The tenant whose jobs the key gives access to.
    pub tenant: String,
    /// Granted scopes.
    pub scopes: BTreeSet<Scope>,
    /// HMAC-SHA-256 of the key's text.
    pub hash: String,
    /// Time of creation.
    pub created_at: DateTime,
    /// End of validity; `None` when the key does not expire.
    pub expires_at: Option<DateTime>,
    /// Time of the revocation, if any.
    pub revoked_at: Option<DateTime>,
    /// Time of the latest use, accurate to the minute.
    pub last_used_at: Option<DateTime>,
    /// Id of the key that replaced this one in a rotation.
    pub replaced_by: Option<String>,
}

impl Key {
    /// Returns true when the key is neither revoked nor expired.
    pub fn is_live(&self) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > DateTime::now())
    }
}
