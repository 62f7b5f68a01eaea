//! The collection `batches`, and queries over all jobs of a batch.

use super::client::{Db, DbError};
use crate::{
    batch::{Action, ActionKind, Batch},
    job::{Job, JobStatus},
};
use async_recursion::async_recursion as boxed;
use mongodb::{
    Collection, IndexModel,
    bson::{self, DateTime, Document, doc},
    options::IndexOptions,
};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// The collection's name.
pub(super) const NAME: &str = "batches";

/// Counts of the jobs in a batch.
#[derive(Debug, Default)]
pub struct Counts {
    /// Number of jobs by status.
    pub by_status: BTreeMap<JobStatus, u64>,
    /// Number of jobs that ended after the requested time.
    pub ended_since: u64,
}

impl Db {
    /// Stores a new batch.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] when the tenant has a batch with the same idempotency key.
    #[boxed]
    pub async fn insert_batch(&self, batch: &Batch) -> Result<(), DbError> {
        let key = batch.idempotency_key.as_deref();
        self.insert_new(self.batches(), batch.clone(), key).await
    }

    /// Returns the batch with a client's idempotency key.
    #[boxed]
    pub async fn batch_with_key(&self, tenant: &str, key: &str) -> Result<Batch, DbError> {
        let query = doc! { "tenant": tenant, "idempotency_key": key };
        let found = self.find_first(self.batches(), query).await?;
        found.ok_or(DbError::NotFound)
    }

    /// Clears the expired idempotency key of a batch.
    #[boxed]
    pub async fn release_batch_key(&self, batch: &Batch) -> Result<(), DbError> {
        let same = doc! { "_id": batch.id.to_string(), "idempotency_key": &batch.idempotency_key };
        self.update_batch(
            same,
            doc! { "$unset": { "idempotency_key": "", "request_hash": "" } },
        )
        .await
        .map(drop)
    }

    /// Stores the changed fields of a batch. Only the creating request calls this.
    #[boxed]
    pub async fn put_batch(&self, batch: &Batch) -> Result<(), DbError> {
        let (batches, batch) = (self.batches(), batch.clone());
        self.run(async move {
            // The action belongs to other requests.
            let mut set = bson::serialize_to_document(&batch).map_err(mongodb::error::Error::custom)?;
            set.remove("_id");
            set.remove("action");
            let id = doc! { "_id": batch.id.to_string() };
            batches.update_one(id, doc! { "$set": set }).await.map(drop)
        })
        .await
    }

    /// Returns a tenant's batch.
    #[boxed]
    pub async fn batch(&self, tenant: &str, id: Uuid) -> Result<Batch, DbError> {
        let query = doc! { "_id": id.to_string(), "tenant": tenant };
        let found = self.find_first(self.batches(), query).await?;
        found.ok_or(DbError::NotFound)
    }

    /// Stores new jobs together. Existing ones are left unchanged.
    #[boxed]
    pub async fn insert_all(&self, mut new: Vec<Job>) -> Result<(), DbError> {
        let jobs = self.jobs();
        new.iter_mut().for_each(Job::derive);
        let stored = self.run(async move { jobs.insert_many(new).ordered(false).await.map(drop) });
        match stored.await.map_err(DbError::or_duplicate) {
            Err(DbError::Duplicate) => Ok(()),
            stored => stored,
        }
    }

    /// Counts the jobs of a batch by status, and those that ended after `since`.
    #[boxed]
    pub async fn counts(&self, batch: &Batch, since: DateTime) -> Result<Counts, DbError> {
        let ended = JobStatus::TERMINAL.map(JobStatus::as_str).to_vec();
        let recent = doc! { "$and": [
            { "$gte": ["$updated_at", since] },
            { "$in": ["$status", ended] },
        ] };
        let count = [
            doc! { "$match": { "tenant": &batch.tenant, "batch_id": batch.id.to_string(), "deleted_at": null } },
            doc! { "$group": {
                "_id": "$status",
                "jobs": { "$sum": 1_i64 },
                "recent": { "$sum": { "$cond": [recent, 1_i64, 0_i64] } },
            } },
        ];
        let found = self.aggregate(self.jobs(), count.into()).await?;
        let mut counts = Counts::default();
        for group in found {
            let number = |name| group.get_i64(name).unwrap_or(0).cast_unsigned();
            let name = group.get_str("_id").unwrap_or_default();
            if let Some(status) = JobStatus::ALL.into_iter().find(|status| status.as_str() == name) {
                counts.by_status.insert(status, number("jobs"));
            }
            counts.ended_since += number("recent");
        }
        Ok(counts)
    }

    /// Stores an action on all jobs of a batch.
    #[boxed]
    pub async fn begin_action(&self, batch: &Batch, action: &Action) -> Result<(), DbError> {
        let action = bson::serialize_to_bson(action).map_err(mongodb::error::Error::custom)?;
        self.update_batch(
            doc! { "_id": batch.id.to_string() },
            doc! { "$set": { "action": action } },
        )
        .await
        .map(drop)
    }

    /// Claims the action of a batch until `until`. Returns false when another replica holds it.
    #[boxed]
    pub async fn claim_action(&self, batch: &Batch, until: DateTime) -> Result<bool, DbError> {
        let next_at = batch.action.as_ref().map(|action| action.next_at);
        let due = doc! { "_id": batch.id.to_string(), "action.next_at": next_at };
        self.update_batch(due, doc! { "$set": { "action.next_at": until } })
            .await
    }

    /// Clears a completed action, unless a newer one has replaced it.
    #[boxed]
    pub async fn end_action(&self, batch: &Batch, action: &Action) -> Result<(), DbError> {
        let same = doc! { "_id": batch.id.to_string(), "action.at": action.at };
        self.update_batch(same, doc! { "$unset": { "action": "" } })
            .await
            .map(drop)
    }

    /// Returns batches whose action is unclaimed or whose claim has expired.
    #[boxed]
    pub async fn actions_due(&self, now: DateTime) -> Result<Vec<Batch>, DbError> {
        let query = doc! { "action.next_at": { "$lte": now } };
        self.find_all(self.batches(), query, doc! {}, 0).await
    }

    /// Returns jobs of a batch with a status that the action changes, in the order of their ids, from the one that follows
    /// `after`.
    #[boxed]
    pub async fn to_do(
        &self,
        batch: &Batch,
        kind: ActionKind,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Job>, DbError> {
        let statuses = match kind {
            ActionKind::Cancel => JobStatus::OPEN.to_vec(),
            ActionKind::Retry => vec![JobStatus::Failed, JobStatus::Partial, JobStatus::Cancelled],
        };
        let statuses: Vec<_> = statuses.into_iter().map(JobStatus::as_str).collect();
        let mut query = doc! {
            "tenant": &batch.tenant,
            "batch_id": batch.id.to_string(),
            "status": { "$in": statuses },
            "deleted_at": null,
        };
        query.extend(after.map(|id| ("_id".to_owned(), doc! { "$gt": id.to_string() }.into())));
        self.find(query, doc! { "_id": 1 }, limit).await
    }

    async fn update_batch(&self, filter: Document, change: Document) -> Result<bool, DbError> {
        let batches = self.batches();
        let updated = self.run(async move { batches.update_one(filter, change).await });
        Ok(updated.await?.matched_count == 1)
    }

    fn batches(&self) -> Collection<Batch> {
        self.collection(NAME)
    }
}

/// The indexes of the queries above.
pub(super) fn indexes() -> Vec<IndexModel> {
    // MongoDB uses a partial index only if the query contains the index's condition.
    let due = IndexOptions::builder()
        .name("actions_due".to_owned())
        .partial_filter_expression(doc! { "action.next_at": { "$exists": true } });
    let ttl = IndexOptions::builder().expire_after(Duration::ZERO);
    let index = |keys, options| IndexModel::builder().keys(keys).options(options).build();
    let keyed = doc! { "idempotency_key": { "$type": "string" } };
    let unique = IndexOptions::builder()
        .unique(true)
        .partial_filter_expression(keyed);
    vec![
        index(doc! { "tenant": 1, "idempotency_key": 1 }, unique.build()),
        index(doc! { "action.next_at": 1 }, due.build()),
        index(doc! { "expires_at": 1 }, ttl.build()),
    ]
}
