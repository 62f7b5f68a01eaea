//! Reads of any collection, with a time limit that MongoDB enforces.

use super::client::{Db, DbError, MAX_TIME};
use futures_util::TryStreamExt;
use mongodb::{Collection, bson::Document};
use serde::de::DeserializeOwned;

#[expect(
    clippy::disallowed_methods,
    reason = "this module is the only path: it sets the time limit"
)]
impl Db {
    /// Finds documents, in this order; `limit` 0 means all.
    pub(super) async fn find_all<T>(
        &self,
        from: Collection<T>,
        query: Document,
        sort: Document,
        limit: i64,
    ) -> Result<Vec<T>, DbError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.run(async move {
            let found = from.find(query).sort(sort).limit(limit).max_time(MAX_TIME);
            found.await?.try_collect().await
        })
        .await
    }

    /// Finds one document.
    pub(super) async fn find_first<T>(
        &self,
        from: Collection<T>,
        query: Document,
    ) -> Result<Option<T>, DbError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.run(async move { from.find_one(query).max_time(MAX_TIME).await })
            .await
    }

    /// Runs an aggregation.
    pub(super) async fn aggregate<T>(
        &self,
        from: Collection<T>,
        stages: Vec<Document>,
    ) -> Result<Vec<Document>, DbError>
    where
        T: Send + Sync + 'static,
    {
        self.run(async move {
            let found = from.aggregate(stages).max_time(MAX_TIME);
            found.await?.try_collect().await
        })
        .await
    }
}
