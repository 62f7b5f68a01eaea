//! Jobs that are due for the sweeper or the fetcher.

use super::fields::next_at;
use crate::{
    db::{
        client::{Db, DbError},
        turns::turns,
    },
    job::{Job, JobStatus},
    tenant::LOCAL_TENANT,
};
use async_recursion::async_recursion as boxed;
use mongodb::bson::{Bson, DateTime, Document, doc};
use uuid::Uuid;
use vidp_contract::Stage;

/// Place of the bytes that a fetch reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// VidP's own bucket: a finished upload.
    Store,
    /// Another bucket, or a server on the web.
    Reference,
}

impl Origin {
    /// All origins.
    pub(super) const ALL: [Origin; 2] = [Origin::Store, Origin::Reference];

    /// Returns the name of the index of its due sources.
    pub(super) fn index(self) -> &'static str {
        match self {
            Origin::Store => "fetches_from_store",
            Origin::Reference => "fetches_by_reference",
        }
    }

    /// Returns the condition on `source.reference`.
    pub(super) fn condition(self) -> Bson {
        match self {
            Origin::Store => Bson::Null,
            Origin::Reference => doc! { "$exists": true }.into(),
        }
    }
}

impl Db {
    /// Returns jobs with a stage that the sweeper may claim.
    #[boxed]
    pub async fn stages_due(&self, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        let any: Vec<_> = Stage::ALL
            .map(|stage| doc! { next_at(stage): { "$lte": now } })
            .into();
        self.find(doc! { "$or": any }, doc! {}, limit).await
    }

    /// Returns uploads without a heartbeat since `before`.
    #[boxed]
    pub async fn silent_uploads(&self, before: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        let query = doc! { "status": JobStatus::Uploading.as_str(), "fetch": null, "direct": null, "updated_at": { "$lte": before } };
        self.find(query, doc! {}, limit).await
    }

    /// Returns true while a job waits for its source.
    #[boxed]
    pub async fn is_uploading(&self, id: Uuid) -> Result<bool, DbError> {
        let query = doc! { "_id": id.to_string(), "status": JobStatus::Uploading.as_str() };
        Ok(!self.find(query, doc! {}, 1).await?.is_empty())
    }

    /// Returns direct uploads that have expired.
    #[boxed]
    pub async fn expired_uploads(&self, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        self.find(doc! { "direct.expires_at": { "$lte": now } }, doc! {}, limit)
            .await
    }

    /// Returns the next due source of an origin: the first of the tenant that follows `last` by name, so that tenants
    /// take turns. A tenant's interactive lane comes first. Tenants in `busy` are skipped.
    #[boxed]
    pub async fn next_fetch(
        &self,
        origin: Origin,
        last: &str,
        busy: &[String],
        now: DateTime,
    ) -> Result<Option<Job>, DbError> {
        let order = doc! { "tenant": 1, "lane": -1, "fetch.next_at": 1 };
        // Documents of earlier releases have no tenant and belong to the local one.
        let busy: Vec<Bson> = match busy.iter().any(|tenant| tenant == LOCAL_TENANT) {
            true => busy.iter().map(Into::into).chain([Bson::Null]).collect(),
            false => busy.iter().map(Into::into).collect(),
        };
        for tenant in turns(last, busy) {
            let due = doc! { "fetch.next_at": { "$lte": now }, "source.reference": origin.condition(), "tenant": tenant };
            let found = self.find(due, order.clone(), 1).await?;
            if let Some(job) = found.into_iter().next() {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    /// Returns jobs whose time in `field` has passed: `expires_at`, `tidy_at` or `announcement.next_at`.
    #[boxed]
    pub async fn ended_due(&self, field: &str, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        self.find(doc! { field: { "$lte": now } }, doc! {}, limit).await
    }

    /// Runs a sorted query. MongoDB ends it at the time limit of reads.
    #[boxed]
    pub async fn find(&self, query: Document, sort: Document, limit: i64) -> Result<Vec<Job>, DbError> {
        self.find_all(self.jobs(), query, sort, limit).await
    }
}
