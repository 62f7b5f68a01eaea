//! Lists of a tenant's jobs.

use super::fields::of;
use crate::{
    db::client::{Db, DbError},
    job::{Job, JobStatus},
};
use mongodb::bson::{Bson, DateTime, Document, doc};
use uuid::Uuid;
use vidp_contract::Stage;

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

impl Db {
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
}

/// A pattern (PCRE) that only this text matches.
fn literal(text: &str) -> String {
    let escaped = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => format!("\\x{{{:x}}}", u32::from(c)),
    };
    text.chars().map(escaped).collect()
}
