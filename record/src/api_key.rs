//! Stored API keys and the scopes that they grant.

use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;
pub use vidp_contract::Scope;

/// Version of the meaning of [`Key::scopes`]. Before version 2, the scopes of jobs covered webhooks too.
pub const SCOPES_VERSION: u8 = 2;

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
    /// Scopes as they were chosen; [`Key::granted`] has those that count.
    pub scopes: BTreeSet<Scope>,
    /// The [`SCOPES_VERSION`] in which they were chosen; missing in documents of earlier releases.
    #[serde(default)]
    pub scopes_version: u8,
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
    /// Returns the granted scopes. A key of an earlier release keeps the webhooks that its scopes covered.
    pub fn granted(&self) -> BTreeSet<Scope> {
        let mut granted = self.scopes.clone();
        if self.scopes_version < SCOPES_VERSION {
            for (jobs, webhooks) in [
                (Scope::JobsRead, Scope::WebhooksRead),
                (Scope::JobsWrite, Scope::WebhooksWrite),
            ] {
                if self.scopes.contains(&jobs) {
                    granted.insert(webhooks);
                }
            }
        }
        granted
    }

    /// Returns true when the key is neither revoked nor expired.
    pub fn is_live(&self) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > DateTime::now())
    }
}
