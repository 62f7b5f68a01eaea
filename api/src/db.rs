//! MongoDB: the record. The only module that talks to it.

use crate::job::{Job, JobStatus};
use futures_util::TryStreamExt;
use mongodb::{
    Client, Collection, IndexModel,
    bson::{Bson, DateTime, Document, doc},
    options::{Acknowledgment, ClientOptions, IndexOptions, WriteConcern},
};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;
use vidp_common::contract::Stage;

/// Longer than the driver's own server selection, so that its error is seen and not ours.
const LIMIT: Duration = Duration::from_secs(10);

/// Why MongoDB did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// There is no such job.
    #[error("no such job")]
    NotFound,
    /// The driver's error.
    #[error(transparent)]
    Driver(#[from] mongodb::error::Error),
    /// No answer in time, or the operation's task broke.
    #[error("MongoDB did not answer: {0}")]
    NoAnswer(String),
}

/// What [`Db::update`] did.
pub enum Updated {
    /// The job as it is now.
    Changed(Job),
    /// The change was refused; the job as it was.
    Unchanged(Job),
}

/// The jobs collection.
#[derive(Clone)]
pub struct Db {
    jobs: Collection<Job>,
}

/// What a list is narrowed to.
#[derive(Debug, Default)]
pub struct Filter {
    pub status: Option<JobStatus>,
    pub external_id: Option<String>,
    pub batch_id: Option<String>,
    /// Only jobs older than this one.
    pub before: Option<Uuid>,
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
    /// Makes a client; nothing is sent yet. The settings are those that keep a write once it is confirmed.
    pub async fn connect(url: &str, database: &str) -> anyhow::Result<Db> {
        let mut options = ClientOptions::parse(url).await?;
        options.app_name = Some("vidp-api".to_owned());
        options.server_selection_timeout = Some(Duration::from_secs(5));
        options.connect_timeout = Some(Duration::from_secs(5));
        let majority = WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .build();
        options.write_concern = Some(majority);
        let jobs = Client::with_options(options)?
            .database(database)
            .collection("jobs");
        Ok(Db { jobs })
    }

    /// Runs one operation to its end. The driver's futures must not be dropped half-way, so that a client that
    /// hangs up or a timeout leaves the operation running in a task of its own.
    async fn run<T, F>(&self, operation: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: Future<Output = mongodb::error::Result<T>> + Send + 'static,
    {
        match tokio::time::timeout(LIMIT, tokio::spawn(operation)).await {
            Ok(Ok(done)) => Ok(done?),
            Ok(Err(error)) => Err(DbError::NoAnswer(error.to_string())),
            Err(_) => Err(DbError::NoAnswer(format!("nothing within {} s", LIMIT.as_secs()))),
        }
    }

    /// MongoDB answers and can write.
    pub async fn ping(&self) -> Result<(), DbError> {
        let jobs = self.jobs.clone();
        self.run(async move {
            let database = jobs.client().database("admin");
            let hello = database.run_command(doc! { "hello": 1 }).await?;
            match hello.get_bool("isWritablePrimary") {
                Ok(true) => Ok(()),
                _ => Err(mongodb::error::Error::custom("no primary")),
            }
        })
        .await
    }

    /// Creates the indexes of the API's queries.
    pub async fn ensure_indexes(&self) -> Result<(), DbError> {
        let mut keys = vec![
            doc! { "status": 1, "_id": -1 },
            doc! { "external_id": 1, "_id": -1 },
            doc! { "batch_id": 1, "_id": -1 },
            doc! { "expires_at": 1 },
            doc! { "tidy_at": 1 },
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
        let jobs = self.jobs.clone();
        self.run(async move { jobs.create_indexes(models).await.map(drop) })
            .await
    }

    /// Stores a new job.
    pub async fn insert(&self, job: &Job) -> Result<(), DbError> {
        let (jobs, job) = (self.jobs.clone(), job.clone());
        self.run(async move { jobs.insert_one(job).await.map(drop) })
            .await
    }

    /// Reads a job; a deleted one is not there.
    pub async fn get(&self, id: Uuid) -> Result<Job, DbError> {
        let jobs = self.jobs.clone();
        let found = self
            .run(async move {
                jobs.find_one(doc! { "_id": id.to_string(), "deleted_at": null })
                    .await
            })
            .await?;
        found.ok_or(DbError::NotFound)
    }

    /// Reads a job, changes it and stores it if nobody else has meanwhile; begins again when somebody has.
    ///
    /// `change` returns whether it changed anything; it may be called several times.
    pub async fn update(
        &self,
        id: Uuid,
        mut change: impl FnMut(&mut Job) -> bool,
    ) -> Result<Updated, DbError> {
        loop {
            let mut job = self.get(id).await?;
            if !change(&mut job) {
                return Ok(Updated::Unchanged(job));
            }
            let before = doc! { "_id": id.to_string(), "rev": job.rev };
            job.rev += 1;
            job.updated_at = DateTime::now();
            let (jobs, new) = (self.jobs.clone(), job.clone());
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
        let jobs = self.jobs.clone();
        let filter = doc! { "_id": id.to_string(), "status": JobStatus::Uploading.as_str() };
        let set = doc! { "$set": { "updated_at": DateTime::now() } };
        self.run(async move { jobs.update_one(filter, set).await.map(drop) })
            .await
    }

    /// Jobs, newest first.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Job>, DbError> {
        let mut query = doc! { "deleted_at": null };
        let mut narrow = |key: &str, value: Option<String>| {
            value.map(|value| query.insert(key, Bson::String(value)));
        };
        narrow("status", filter.status.map(|status| status.to_string()));
        narrow("external_id", filter.external_id);
        narrow("batch_id", filter.batch_id);
        if let Some(before) = filter.before {
            query.insert("_id", doc! { "$lt": before.to_string() });
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
        let query = doc! { "status": JobStatus::Uploading.as_str(), "updated_at": { "$lte": before } };
        self.find(query, doc! {}, limit).await
    }

    /// Ended jobs whose time in `field` (`expires_at` or `tidy_at`) has come.
    pub async fn ended_due(&self, field: &str, now: DateTime, limit: i64) -> Result<Vec<Job>, DbError> {
        self.find(doc! { field: { "$lte": now } }, doc! {}, limit).await
    }

    async fn find(&self, query: Document, sort: Document, limit: i64) -> Result<Vec<Job>, DbError> {
        let jobs = self.jobs.clone();
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

    /// Removes a deleted job's document if it still is at `rev`.
    pub async fn remove(&self, id: Uuid, rev: i64) -> Result<bool, DbError> {
        let jobs = self.jobs.clone();
        let filter = doc! { "_id": id.to_string(), "rev": rev };
        let deleted = self.run(async move { jobs.delete_one(filter).await }).await?;
        Ok(deleted.deleted_count == 1)
    }

    /// The collection, for the change stream.
    pub fn jobs(&self) -> &Collection<Job> {
        &self.jobs
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
