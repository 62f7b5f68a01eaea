//! The collection `keys`: one document for each API key. The documents contain no secrets.

use super::client::{Db, DbError};
use crate::api_key::Key;
use async_recursion::async_recursion as boxed;
use mongodb::{
    Collection, IndexModel,
    bson::{DateTime, Document, doc},
};
use uuid::Uuid;

/// The collection's name.
pub(super) const NAME: &str = "keys";

/// The indexes of the queries below.
pub(super) fn indexes() -> Vec<IndexModel> {
    [doc! { "tenant": 1, "_id": -1 }, doc! { "replaced_by": 1 }]
        .map(|keys| IndexModel::builder().keys(keys).build())
        .into()
}

impl Db {
    /// Stores a new key.
    #[boxed]
    pub async fn insert_key(&self, key: &Key) -> Result<(), DbError> {
        let (keys, key) = (self.all_keys(), key.clone());
        self.run(async move { keys.insert_one(key).await.map(drop) })
            .await
    }

    /// Returns a key in any state.
    #[boxed]
    pub async fn key(&self, id: Uuid) -> Result<Option<Key>, DbError> {
        self.one_key(doc! { "_id": id.to_string() }).await
    }

    /// Returns the key that this key replaced in a rotation.
    #[boxed]
    pub async fn predecessor(&self, id: Uuid) -> Result<Option<Key>, DbError> {
        self.one_key(doc! { "replaced_by": id.to_string() }).await
    }

    async fn one_key(&self, query: Document) -> Result<Option<Key>, DbError> {
        self.find_first(self.all_keys(), query).await
    }

    /// Returns the keys of one tenant or of all, newest first, starting after the key `before`.
    #[boxed]
    pub async fn keys(
        &self,
        tenant: Option<String>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Key>, DbError> {
        let mut query = Document::new();
        if let Some(tenant) = tenant {
            query.insert("tenant", tenant);
        }
        if let Some(before) = before {
            query.insert("_id", doc! { "$lt": before.to_string() });
        }
        self.find_all(self.all_keys(), query, doc! { "_id": -1 }, limit)
            .await
    }

    /// Revokes a key. A revoked key is left unchanged.
    #[boxed]
    pub async fn revoke_key(&self, id: Uuid, now: DateTime) -> Result<(), DbError> {
        let live = doc! { "_id": id.to_string(), "revoked_at": null };
        self.change_key(live, doc! { "$set": { "revoked_at": now } })
            .await
            .map(drop)
    }

    /// Records that another key replaces a live one, which stays valid until `ends`. Returns false when it was replaced
    /// or revoked in the meantime.
    #[boxed]
    pub async fn replace_key(&self, id: Uuid, by: Uuid, ends: DateTime) -> Result<bool, DbError> {
        let live = doc! { "_id": id.to_string(), "revoked_at": null, "replaced_by": null };
        let set = doc! { "replaced_by": by.to_string(), "expires_at": ends };
        self.change_key(live, doc! { "$set": set }).await
    }

    /// Records a use of the key.
    #[boxed]
    pub async fn key_used(&self, id: Uuid, now: DateTime) -> Result<(), DbError> {
        let key = doc! { "_id": id.to_string() };
        self.change_key(key, doc! { "$max": { "last_used_at": now } })
            .await
            .map(drop)
    }

    /// Replaces the hash of a key, unless another request was first.
    #[boxed]
    pub async fn rehash_key(&self, id: Uuid, old: &str, new: &str) -> Result<(), DbError> {
        let before = doc! { "_id": id.to_string(), "hash": old };
        self.change_key(before, doc! { "$set": { "hash": new } })
            .await
            .map(drop)
    }

    async fn change_key(&self, which: Document, change: Document) -> Result<bool, DbError> {
        let keys = self.all_keys();
        let done = self
            .run(async move { keys.update_one(which, change).await })
            .await?;
        Ok(done.matched_count == 1)
    }

    fn all_keys(&self) -> Collection<Key> {
        self.collection(NAME)
    }
}
