//! Ages and counts of jobs that have not ended.

use super::fields::{is_queued, owned_by, queued_at};
use crate::{
    db::{
        client::{Db, DbError},
        open::Open,
    },
    job::JobStatus,
    time::since,
};
use async_recursion::async_recursion as boxed;
use mongodb::bson::{Document, doc};
use std::{collections::BTreeMap, time::Duration};
use vidp_contract::Stage;

/// Ages of the oldest open work; zero when there is no open work.
#[derive(Debug, Default)]
pub struct Ages {
    /// Age of the oldest queued stage, since it was queued.
    pub waiting: BTreeMap<Stage, Duration>,
    /// Age of the oldest job that has not ended, since its creation.
    pub job: Duration,
}

impl Db {
    /// Returns the ages of the oldest queued stages and of the oldest open job.
    #[boxed]
    pub async fn ages(&self) -> Result<Ages, DbError> {
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

    /// Counts a tenant's open jobs and the bytes of their sources, stored or announced.
    pub(in crate::db) async fn open_of(&self, tenant: &str) -> Result<Open, DbError> {
        let statuses = JobStatus::OPEN.map(JobStatus::as_str).to_vec();
        // Documents of earlier releases have the announced size in one place only.
        let size = doc! { "$max": ["$source.size", "$direct.size"] };
        let count = [
            doc! { "$match": { "tenant": owned_by(tenant), "status": { "$in": statuses }, "deleted_at": null } },
            doc! { "$group": { "_id": null, "jobs": { "$sum": 1_i64 }, "bytes": { "$sum": size } } },
        ];
        self.sum_of_jobs(count.to_vec()).await
    }

    /// Adds up the bytes of all of a tenant's jobs. MongoDB answers from the index on `held` alone.
    pub(in crate::db) async fn held_of(&self, tenant: &str) -> Result<Open, DbError> {
        let count = [
            doc! { "$match": { "tenant": tenant, "held": { "$gt": 0_i64 } } },
            doc! { "$group": { "_id": null, "jobs": { "$sum": 1_i64 }, "bytes": { "$sum": "$held" } } },
        ];
        self.sum_of_jobs(count.to_vec()).await
    }

    async fn sum_of_jobs(&self, count: Vec<Document>) -> Result<Open, DbError> {
        let counted = self.aggregate(self.jobs(), count).await?;
        Ok(Open::read(counted.into_iter().next()))
    }
}
