//! Jobs that are due for the sweeper or the fetcher.

use super::fields::next_at;
use crate::{
    db::client::{Db, DbError},
    job::{Job, JobStatus},
};
use futures_util::TryStreamExt;
use mongodb::bson::{DateTime, Document, doc};
use vidp_contract::Stage;

impl Db {
    /// Returns jobs with a stage that the sweeper may claim.
    pub async fn stages_due(&self, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        let any: Vec<_> = Stage::ALL
            .map(|stage| doc! { next_at(stage): { "$lte": now } })
            .into();
        self.find(doc! { "$or": any }, doc! {}, limit).await
    }

    /// Returns uploads without a heartbeat since `before`.
    pub async fn silent_uploads(&self, before: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        let query = doc! { "status": JobStatus::Uploading.as_str(), "fetch": null, "direct": null, "updated_at": { "$lte": before } };
        self.find(query, doc! {}, limit).await
    }

    /// Returns direct uploads that have expired.
    pub async fn expired_uploads(&self, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        self.find(doc! { "direct.expires_at": { "$lte": now } }, doc! {}, limit)
            .await
    }

    /// Returns jobs whose source is due to be fetched, those of the interactive lane first.
    pub async fn fetches_due(&self, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        let order = doc! { "lane": -1, "fetch.next_at": 1 };
        self.find(doc! { "fetch.next_at": { "$lte": now } }, order, limit)
            .await
    }

    /// Returns ended jobs whose time in `field` has passed: `expires_at`, `tidy_at` or `announcement.next_at`.
    pub async fn ended_due(&self, field: &str, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        self.find(doc! { field: { "$lte": now } }, doc! {}, limit).await
    }

    /// Runs a sorted query.
    pub(crate) async fn find(
        &self,
        query: Document,
        sort: Document,
        limit: i64,
    ) -> Result<Vec<Job>, DbError> {
        let jobs = self.jobs();
        self.run(async move {
            jobs.find(query)
                .sort(sort)
                .limit(limit)
                .await?
                .try_collect()
                .await
        })
        .await
    }
}
