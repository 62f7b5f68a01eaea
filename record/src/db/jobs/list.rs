//! Lists of a tenant's jobs.

use super::fields::owned_by;
use crate::{
    db::client::{Db, DbError},
    job::{Job, JobStatus},
};
use mongodb::bson::{Bson, DateTime, Document, doc};
use uuid::Uuid;
use vidp_contract::Stage;

/// Filter of a list of jobs.
#[derive(Debug, Default)]
pub struct Filter {
    /// Owner of the jobs.
    pub tenant: String,
    /// Only jobs with this status.
    pub status: Option<JobStatus>,
    /// Only jobs with this external id.
    pub external_id: Option<String>,
    /// Only jobs of this batch.
    pub batch_id: Option<String>,
    /// Only jobs with this text in the file name or an id; the case is ignored.
    pub search: Option<String>,
    /// Only jobs with exactly these stages.
    pub stages: Option<&'static [Stage]>,
    /// Only jobs created at or after this time.
    pub created_after: Option<DateTime>,
    /// Only jobs created before this time.
    pub created_before: Option<DateTime>,
    /// Only jobs that follow this one in the list.
    pub behind: Option<Uuid>,
    /// Maximum number of jobs.
    pub limit: i64,
}

impl Db {
    /// Returns a tenant's jobs, newest first.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Job>, DbError> {
        let mut query = doc! { "tenant": owned_by(&filter.tenant), "deleted_at": null };
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
}

/// Returns a PCRE pattern that matches this text literally.
fn literal(text: &str) -> String {
    let escaped = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => format!("\\x{{{:x}}}", u32::from(c)),
    };
    text.chars().map(escaped).collect()
}
