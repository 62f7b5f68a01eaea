//! API keys as clients see them.

use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_record::{
    api_key::{Key, Scope},
    view,
};

/// An API key.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct KeyView<'a> {
    /// UUIDv7.
    id: Uuid,
    /// Name for people.
    name: &'a str,
    /// Tenant whose jobs the key can access.
    tenant: &'a str,
    /// Scopes of the key.
    scopes: BTreeSet<Scope>,
    /// When the key was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<String>,
    /// When the key expires; null when it does not expire.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
    /// When the key was revoked; null when it was not revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<String>,
    /// When the key was last used, accurate to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<String>,
    /// Id of the key that replaces this one after a rotation.
    replaced_by: Option<&'a str>,
    /// The secret text of the key. Only the answer that creates the key contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^vidp_[0-9a-f]{32}_[0-9a-f]{48}$")]
    key: Option<&'a str>,
}

impl<'a> KeyView<'a> {
    /// The key without its secret text.
    pub(super) fn of(key: &'a Key) -> Self {
        KeyView {
            id: key.id,
            name: &key.name,
            tenant: &key.tenant,
            scopes: key.granted(),
            created_at: view::time(Some(key.created_at)),
            expires_at: view::time(key.expires_at),
            revoked_at: view::time(key.revoked_at),
            last_used_at: view::time(key.last_used_at),
            replaced_by: key.replaced_by.as_deref(),
            key: None,
        }
    }

    /// The key with its secret text, for the answer that creates it.
    pub(super) fn with_secret(key: &'a Key, secret: &'a str) -> Self {
        KeyView {
            key: Some(secret),
            ..KeyView::of(key)
        }
    }
}
