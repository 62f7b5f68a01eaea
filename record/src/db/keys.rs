//! The collection `keys`: one document for each API key. The documents contain no secrets.

use super::client::{Db, DbError};
use crate::api_key::Key;
use futures_util::TryStreamExt;
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
    pub async fn insert_key(&self, key: &Key) -> Result<(), DbError> {
        let (keys, key) = (self.all_keys(), key.clone());
        self.run(async move { keys.insert_one(key).await.map(drop) })
            .await
    }

    /// Returns a key in any state.
    pub async fn key(&self, id: Uuid) -> Result<Option<Key>, DbError> {
        self.one_key(doc! { "_id": id.to_string() }).await
    }

    /// Returns the key that this key replaced in a rotation.
    pub async fn predecessor(&self, id: Uuid) -> Result<Option<Key>, DbError> {
        self.one_key(doc! { "replaced_by": id.to_string() }).await
    }

    async fn one_key(&self, query: Document) -> Result<Option<Key>, DbError> {
        let keys = self.all_keys();
        self.run(async move { keys.find_one(query).await }).await
    }

    /// Returns the keys of one tenant or of all, newest first, starting after the key `before`.
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
        let keys = self.all_keys();
        let find = async move {
            let found = keys.find(query).sort(doc! { "_id": -1 }).limit(limit).await?;
            found.try_collect().await
        };
        self.run(find).await
    }

    /// Revokes a key. A revoked key is left unchanged.
    pub async fn revoke_key(&self, id: Uuid, now: DateTime) -> Result<(), DbError> {
        let live = doc! { "_id": id.to_string(), "revoked_at": null };
        self.change_key(live, doc! { "$set": { "revoked_at": now } })
            .await
            .map(drop)
    }

    /// Records that another key replaces a live one, which stays valid until `ends`. Returns false when it was replaced
    /// or revoked in the meantime.
    pub async fn replace_key(&self, id: Uuid, by: Uuid, ends: DateTime) -> Result<bool, DbError> {
        let live = doc! { "_id": id.to_string(), "revoked_at": null, "replaced_by": null };
        let set = doc! { "replaced_by": by.to_string(), "expires_at": ends };
        self.change_key(live, doc! { "$set": set }).await
    }

    /// Records a use of the key.
    pub async fn key_used(&self, id: Uuid, now: DateTime) -> Result<(), DbError> {
        let key = doc! { "_id": id.to_string() };
        self.change_key(key, doc! { "$max": { "last_used_at": now } })
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
