//! API keys as they are stored, and the scopes that they grant.

use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a client may do. None includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// Read the tenant's jobs and their outputs.
    #[serde(rename = "jobs:read")]
    JobsRead,
    /// Make, change and delete the tenant's jobs.
    #[serde(rename = "jobs:write")]
    JobsWrite,
    /// What operators do, for every tenant.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every one.
    pub const ALL: [Scope; 3] = [Scope::JobsRead, Scope::JobsWrite, Scope::Admin];

    /// The name in documents and problems.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::JobsRead => "jobs:read",
            Scope::JobsWrite => "jobs:write",
            Scope::Admin => "admin",
        }
    }
}

/// What the record knows of a key; MongoDB, collection `keys`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// UUIDv7, the first part of the key's text.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// For people: what the key is used for.
    pub name: String,
    pub tenant: String,
    pub scopes: BTreeSet<Scope>,
    /// HMAC-SHA-256 of the key's text.
    pub hash: String,
    pub created_at: DateTime,
    pub expires_at: Option<DateTime>,
    pub revoked_at: Option<DateTime>,
    /// A minute exactly.
    pub last_used_at: Option<DateTime>,
    /// The key of a rotation that takes this one's place.
    pub replaced_by: Option<String>,
}

impl Key {
    /// Neither revoked nor expired.
    pub fn is_live(&self) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > DateTime::now())
    }
}
