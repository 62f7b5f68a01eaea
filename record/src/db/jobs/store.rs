//! The collection `jobs`: one document a job.

use super::fields::{NAME, of};
use crate::{
    db::client::{Db, DbError},
    job::{Job, JobStatus},
};
use mongodb::{
    Collection,
    bson::{DateTime, Document, doc},
};
use uuid::Uuid;

/// What [`Db::update`] did.
pub enum Updated {
    /// The job as it is now.
    Changed(Job),
    /// The change was refused; the job as it was.
    Unchanged(Job),
}

impl Db {
    /// Stores a new job; [`DbError::Duplicate`] when its tenant has another with the same idempotency key.
    pub async fn insert(&self, job: &Job) -> Result<(), DbError> {
        let key = job.idempotency_key.as_deref();
        self.insert_new(self.jobs(), job.clone(), key).await
    }

    /// The job that a client's idempotency key made, a deleted one too.
    pub async fn with_key(&self, tenant: &str, key: &str) -> Result<Job, DbError> {
        self.one(doc! { "tenant": tenant, "idempotency_key": key }).await
    }

    /// Takes its idempotency key from a job, whose time is over; from a deleted one too.
    pub async fn release_key(&self, job: &Job) -> Result<(), DbError> {
        let jobs = self.jobs();
        let filter = doc! { "_id": job.id.to_string(), "idempotency_key": &job.idempotency_key };
        let release = doc! { "$set": { "idempotency_key": null }, "$unset": { "request_hash": "" }, "$inc": { "rev": 1_i64 } };
        self.run(async move { jobs.update_one(filter, release).await.map(drop) })
            .await
    }

    /// Reads a client's job; a deleted one is not there, nor is another tenant's.
    pub async fn get(&self, tenant: &str, id: Uuid) -> Result<Job, DbError> {
        self.one(doc! { "_id": id.to_string(), "tenant": of(tenant), "deleted_at": null })
            .await
    }

    /// Reads anybody's job, for work that no client asks for.
    async fn any(&self, id: Uuid) -> Result<Job, DbError> {
        self.one(doc! { "_id": id.to_string(), "deleted_at": null }).await
    }

    async fn one(&self, query: Document) -> Result<Job, DbError> {
        let jobs = self.jobs();
        let found = self.run(async move { jobs.find_one(query).await }).await?;
        found.ok_or(DbError::NotFound)
    }

    /// Reads a job, changes it and stores it if nobody else has meanwhile; begins again when somebody has.
    ///
    /// `change` returns whether it changed anything; it may be called several times. A client's request looks with
    /// [`Db::get`] first, whether the job is its own.
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

    /// A sign of life of a running upload.
    pub async fn touch(&self, id: Uuid) -> Result<(), DbError> {
        let jobs = self.jobs();
        let filter = doc! { "_id": id.to_string(), "status": JobStatus::Uploading.as_str() };
        let set = doc! { "$set": { "updated_at": DateTime::now() } };
        self.run(async move { jobs.update_one(filter, set).await.map(drop) })
            .await
    }

    /// Takes an announcement away, whose messages are stored. Clients see nothing of it, so it is no revision. Who
    /// replaces the job at the same moment brings it back, and then it is announced to nobody a second time.
    pub async fn announced(&self, id: Uuid, announcement: Uuid) -> Result<(), DbError> {
        let jobs = self.jobs();
        let filter = doc! { "_id": id.to_string(), "announcement.id": announcement.to_string() };
        let take = doc! { "$unset": { "announcement": "" } };
        self.run(async move { jobs.update_one(filter, take).await.map(drop) })
            .await
    }

    /// Removes a deleted job's document if it still is at `rev`.
    pub async fn remove(&self, id: Uuid, rev: i64) -> Result<bool, DbError> {
        let jobs = self.jobs();
        let filter = doc! { "_id": id.to_string(), "rev": rev };
        let deleted = self.run(async move { jobs.delete_one(filter).await }).await?;
        Ok(deleted.deleted_count == 1)
    }

    /// The collection; from outside, for the change stream.
    pub fn jobs(&self) -> Collection<Job> {
        self.collection(NAME)
    }
}
