//! Jobs that have not ended.

use super::fields::{is_queued, of, queued_at};
use crate::{
    db::{
        client::{Db, DbError},
        open::Open,
    },
    job::JobStatus,
};
use futures_util::TryStreamExt;
use mongodb::bson::{DateTime, doc};
use std::{collections::BTreeMap, time::Duration};
use vidp_contract::Stage;

/// How long the oldest has been there; zero when there is none.
#[derive(Debug, Default)]
pub struct Ages {
    /// Queued stages, since they were queued.
    pub waiting: BTreeMap<Stage, Duration>,
    /// Jobs that have not ended, since they were created.
    pub job: Duration,
}

impl Db {
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
}
