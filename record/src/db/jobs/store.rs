//! Reads and writes of single jobs.

use super::fields::{NAME, owned_by};
use crate::{
    db::client::{Db, DbError},
    job::{Job, JobStatus},
};
use async_recursion::async_recursion as boxed;
use mongodb::{
    Collection,
    bson::{DateTime, Document, doc},
};
use uuid::Uuid;

/// Outcome of [`Db::update`].
pub enum Updated {
    /// The change was stored; the job after it.
    Changed(Job),
    /// The change was refused; the job as stored.
    Unchanged(Job),
}

impl Db {
    /// Stores a new job.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] when the tenant has a job with the same idempotency key.
    #[boxed]
    pub async fn insert(&self, job: &Job) -> Result<(), DbError> {
        let key = job.idempotency_key.as_deref();
        let mut job = job.clone();
        job.derive();
        self.insert_new(self.jobs(), job, key).await
    }

    /// Returns the job with a client's idempotency key, also a deleted one.
    #[boxed]
    pub async fn with_key(&self, tenant: &str, key: &str) -> Result<Job, DbError> {
        self.one(doc! { "tenant": tenant, "idempotency_key": key }).await
    }

    /// Clears the expired idempotency key of a job, also of a deleted one.
    #[boxed]
    pub async fn release_key(&self, job: &Job) -> Result<(), DbError> {
        let jobs = self.jobs();
        let filter = doc! { "_id": job.id.to_string(), "idempotency_key": &job.idempotency_key };
        let release = doc! { "$set": { "idempotency_key": null }, "$unset": { "request_hash": "" }, "$inc": { "rev": 1_i64 } };
        self.run(async move { jobs.update_one(filter, release).await.map(drop) })
            .await
    }

    /// Returns a tenant's job; [`DbError::NotFound`] for a deleted one and for another tenant's.
    #[boxed]
    pub async fn get(&self, tenant: &str, id: Uuid) -> Result<Job, DbError> {
        self.one(doc! { "_id": id.to_string(), "tenant": owned_by(tenant), "deleted_at": null })
            .await
    }

    /// Returns a job of any tenant: for background work, and for a grant that names the job.
    #[boxed]
    pub async fn any(&self, id: Uuid) -> Result<Job, DbError> {
        self.one(doc! { "_id": id.to_string(), "deleted_at": null }).await
    }

    async fn one(&self, query: Document) -> Result<Job, DbError> {
        let found = self.find_first(self.jobs(), query).await?;
        found.ok_or(DbError::NotFound)
    }

    /// Changes a job by compare-and-set.
    ///
    /// `change` returns true when it changed the job. It runs again after a concurrent change. A client's request must
    /// check with [`Db::get`] first that the job belongs to its tenant.
    pub async fn update(
        &self,
        id: Uuid,
        mut change: impl FnMut(&mut Job) -> bool,
    ) -> Result<Updated, DbError> {
        loop {
            let found = self.any(id).await?;
            let mut job = found.clone();
            if !change(&mut job) {
                return Ok(Updated::Unchanged(job));
            }
            let before = doc! { "_id": id.to_string(), "rev": found.rev };
            job.revise(&found, DateTime::now());
            let (jobs, new) = (self.jobs(), job.clone());
            let replaced = self
                .run(async move { jobs.replace_one(before, new).await })
                .await?;
            if replaced.matched_count == 1 {
                return Ok(Updated::Changed(job));
            }
        }
    }

    /// Records a heartbeat of a running upload, and the bytes received so far if they are more than it announced.
    #[boxed]
    pub async fn touch(&self, id: Uuid, received: i64) -> Result<(), DbError> {
        let jobs = self.jobs();
        let filter = doc! { "_id": id.to_string(), "status": JobStatus::Uploading.as_str() };
        let set = doc! {
            "$set": { "updated_at": DateTime::now() },
            "$max": { "source.size": received, "held": received },
        };
        self.run(async move { jobs.update_one(filter, set).await.map(drop) })
            .await
    }

    /// Clears the outbox entry of an announcement whose deliveries are stored, without a new revision.
    ///
    /// A concurrent replace may restore the entry. The unique index of the deliveries makes the replay harmless.
    #[boxed]
    pub async fn announced(&self, id: Uuid, announcement: Uuid) -> Result<(), DbError> {
        let jobs = self.jobs();
        let filter = doc! { "_id": id.to_string(), "announcement.id": announcement.to_string() };
        let clear = doc! { "$unset": { "announcement": "" } };
        self.run(async move { jobs.update_one(filter, clear).await.map(drop) })
            .await
    }

    /// Removes the tombstone of a deleted job if its revision is still `rev`.
    #[boxed]
    pub async fn remove(&self, id: Uuid, rev: i64) -> Result<bool, DbError> {
        let jobs = self.jobs();
        let filter = doc! { "_id": id.to_string(), "rev": rev };
        let deleted = self.run(async move { jobs.delete_one(filter).await }).await?;
        Ok(deleted.deleted_count == 1)
    }

    /// Returns the collection; outside this module only for the change stream.
    pub fn jobs(&self) -> Collection<Job> {
        self.collection(NAME)
    }
}
