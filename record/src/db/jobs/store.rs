//! The collection `jobs`: one document a job.

use super::client::{Db, DbError};
use super::open::Open;
use crate::{
    job::{Job, JobStatus},
    tenant::LOCAL_TENANT,
};
use futures_util::TryStreamExt;
use mongodb::{
    Collection, IndexModel,
    bson::{Bson, DateTime, Document, doc},
    options::IndexOptions,
};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;
use vidp_contract::Stage;

/// The collection's name.
pub(super) const NAME: &str = "jobs";

/// What [`Db::update`] did.
pub enum Updated {
    /// The job as it is now.
    Changed(Job),
    /// The change was refused; the job as it was.
    Unchanged(Job),
}

/// What a list is narrowed to.
#[derive(Debug, Default)]
pub struct Filter {
    /// Whose jobs.
    pub tenant: String,
    pub status: Option<JobStatus>,
    pub external_id: Option<String>,
    pub batch_id: Option<String>,
    /// Text in its file name or its ids.
    pub search: Option<String>,
    /// Those that have these stages and no others.
    pub stages: Option<&'static [Stage]>,
    /// Not before.
    pub created_after: Option<DateTime>,
    /// Before.
    pub created_before: Option<DateTime>,
    /// Only what follows this one in the list.
    pub behind: Option<Uuid>,
    pub limit: i64,
}

/// How long the oldest has been there; zero when there is none.
#[derive(Debug, Default)]
pub struct Ages {
    /// Queued stages, since they were queued.
    pub waiting: BTreeMap<Stage, Duration>,
    /// Jobs that have not ended, since they were created.
    pub job: Duration,
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

    /// A tenant's jobs, newest first.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Job>, DbError> {
        let mut query = doc! { "tenant": of(&filter.tenant), "deleted_at": null };
        let mut narrow = |key: &str, value: Option<String>| {
            value.map(|value| query.insert(key, Bson::String(value)));
        };
        narrow("status", filter.status.map(|status| status.to_string()));
        narrow("external_id", filter.external_id);
        narrow("batch_id", filter.batch_id);
        if let Some(text) = filter.search {
            let pattern = doc! { "$regex": literal(&text), "$options": "i" };
            let fields = ["source.filename", "_id", "external_id", "batch_id"];
            query.insert("$or", fields.map(|field| doc! { field: &pattern }).to_vec());
        }
        if let Some(behind) = filter.behind {
            query.insert("_id", doc! { "$lt": behind.to_string() });
        }
        if let Some(stages) = filter.stages {
            query.extend(Stage::ALL.map(|stage| {
                let wanted = doc! { "$exists": stages.contains(&stage) };
                (format!("stages.{stage}"), wanted.into())
            }));
        }
        let mut created = Document::new();
        created.extend(filter.created_after.map(|time| ("$gte".to_owned(), time.into())));
        created.extend(filter.created_before.map(|time| ("$lt".to_owned(), time.into())));
        if !created.is_empty() {
            query.insert("created_at", created);
        }
        self.find(query, doc! { "_id": -1 }, filter.limit).await
    }

    /// Jobs with a stage that the sweeper must look at.
    pub async fn stages_due(&self, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        let any: Vec<_> = Stage::ALL
            .map(|stage| doc! { next_at(stage): { "$lte": now } })
            .into();
        self.find(doc! { "$or": any }, doc! {}, limit).await
    }

    /// Uploads without a sign of life since `before`.
    pub async fn silent_uploads(&self, before: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        let query = doc! { "status": JobStatus::Uploading.as_str(), "fetch": null, "direct": null, "updated_at": { "$lte": before } };
        self.find(query, doc! {}, limit).await
    }

    /// Uploads to the store that were not completed in time.
    pub async fn expired_uploads(&self, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        self.find(doc! { "direct.expires_at": { "$lte": now } }, doc! {}, limit)
            .await
    }

    /// Jobs whose source somebody should fetch, those that somebody waits for first.
    pub async fn fetches_due(&self, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        let order = doc! { "lane": -1, "fetch.next_at": 1 };
        self.find(doc! { "fetch.next_at": { "$lte": now } }, order, limit)
            .await
    }

    /// Ended jobs whose time in `field` (`expires_at`, `tidy_at`, `announcement.next_at`) has come.
    pub async fn ended_due(&self, field: &str, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        self.find(doc! { field: { "$lte": now } }, doc! {}, limit).await
    }

    pub(super) async fn find(
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

    /// How long the oldest stages and the oldest job wait.
    pub async fn ages(&self) -> Result<Ages, DbError> {
        let now = DateTime::now();
        let since = |time: DateTime| {
            let age = now.timestamp_millis() - time.timestamp_millis();
            Duration::from_millis(u64::try_from(age).unwrap_or(0))
        };
        let mut ages = Ages::default();
        for stage in Stage::ALL {
            let oldest = self
                .find(is_queued(stage), doc! { queued_at(stage): 1 }, 1)
                .await?;
            let queued_at = oldest.first().and_then(|job| job.stages[&stage].queued_at);
            ages.waiting
                .insert(stage, queued_at.map_or(Duration::ZERO, since));
        }
        for status in JobStatus::OPEN {
            let open = doc! { "status": status.as_str(), "deleted_at": null };
            let oldest = self.find(open, doc! { "_id": 1 }, 1).await?;
            let age = oldest.first().map(|job| since(job.created_at));
            ages.job = ages.job.max(age.unwrap_or_default());
        }
        Ok(ages)
    }

    /// What a tenant has that has not ended.
    pub async fn open_of(&self, tenant: &str) -> Result<Open, DbError> {
        let jobs = self.jobs();
        let statuses = JobStatus::OPEN.map(JobStatus::as_str).to_vec();
        let count = [
            doc! { "$match": { "tenant": of(tenant), "status": { "$in": statuses }, "deleted_at": null } },
            doc! { "$group": { "_id": null, "jobs": { "$sum": 1_i64 }, "bytes": { "$sum": "$source.size" } } },
        ];
        let counted = self.run(async move { jobs.aggregate(count).await?.try_next().await });
        Ok(Open::read(counted.await?))
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

/// A pattern (PCRE) that only this text matches.
fn literal(text: &str) -> String {
    let escaped = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => format!("\\x{{{:x}}}", u32::from(c)),
    };
    text.chars().map(escaped).collect()
}

/// The indexes of the queries above.
pub(super) fn indexes() -> Vec<IndexModel> {
    let mut keys = vec![
        doc! { "tenant": 1, "_id": -1 },
        doc! { "tenant": 1, "status": 1, "_id": -1 },
        doc! { "tenant": 1, "external_id": 1, "_id": -1 },
        doc! { "tenant": 1, "batch_id": 1, "_id": -1 },
        doc! { "status": 1, "_id": -1 },
        doc! { "expires_at": 1 },
        doc! { "tidy_at": 1 },
        doc! { "announcement.next_at": 1 },
    ];
    keys.extend(Stage::ALL.map(|stage| doc! { next_at(stage): 1 }));
    let mut models: Vec<_> = keys
        .into_iter()
        .map(|keys| IndexModel::builder().keys(keys).build())
        .collect();
    // Only what waits now is in these; they stay small.
    models.extend(Stage::ALL.map(|stage| {
        let queued = IndexOptions::builder().partial_filter_expression(is_queued(stage));
        IndexModel::builder()
            .keys(doc! { queued_at(stage): 1 })
            .options(queued.build())
            .build()
    }));
    let direct = IndexOptions::builder().partial_filter_expression(doc! { "direct": { "$exists": true } });
    models.push(
        IndexModel::builder()
            .keys(doc! { "direct.expires_at": 1 })
            .options(direct.build())
            .build(),
    );
    let to_fetch = IndexOptions::builder().partial_filter_expression(doc! { "fetch": { "$exists": true } });
    models.push(
        IndexModel::builder()
            .keys(doc! { "lane": -1, "fetch.next_at": 1 })
            .options(to_fetch.build())
            .build(),
    );
    // Decides which of two requests with the same key came first.
    let keyed = IndexOptions::builder()
        .unique(true)
        .partial_filter_expression(doc! { "idempotency_key": { "$type": "string" } });
    models.push(
        IndexModel::builder()
            .keys(doc! { "tenant": 1, "idempotency_key": 1 })
            .options(keyed.build())
            .build(),
    );
    models
}

/// What `tenant` is in this tenant's documents; those of earlier releases have none.
fn of(tenant: &str) -> Bson {
    match tenant {
        LOCAL_TENANT => doc! { "$in": [tenant, null] }.into(),
        _ => tenant.into(),
    }
}

fn next_at(stage: Stage) -> String {
    format!("stages.{stage}.dispatch.next_at")
}

fn queued_at(stage: Stage) -> String {
    format!("stages.{stage}.queued_at")
}

fn is_queued(stage: Stage) -> Document {
    doc! { format!("stages.{stage}.status"): "queued" }
}
