//! Lists of a tenant's jobs.

use super::fields::owned_by;
use crate::{
    db::client::{Db, DbError},
    job::{Job, JobStatus},
    search::fold,
};
use async_recursion::async_recursion as boxed;
use mongodb::bson::{Bson, DateTime, Document, doc};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;
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
    /// Only jobs with this text in the file name or an id, compared as [`fold`] folds it.
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
    #[boxed]
    pub async fn list(&self, filter: Filter) -> Result<Vec<Job>, DbError> {
        let mut query = doc! { "tenant": owned_by(&filter.tenant), "deleted_at": null };
        let mut narrow = |key: &str, value: Option<String>| {
            value.map(|value| query.insert(key, Bson::String(value)));
        };
        narrow("status", filter.status.map(|status| status.to_string()));
        narrow("external_id", filter.external_id);
        narrow("batch_id", filter.batch_id);
        if let Some(text) = filter.search {
            query.insert("$or", containing(&text));
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

/// Returns conditions of which one holds for jobs with this text in the file name or an id.
///
/// Documents of earlier releases have no folded text. Their names are compared in both spellings of accents, and MongoDB
/// ignores the case of single characters; they become folded at their next change.
fn containing(text: &str) -> Vec<Document> {
    // A text of nothing but ignored characters would be found everywhere.
    let folded = Some(fold(text)).filter(|folded| !folded.is_empty());
    let folded = folded.unwrap_or_else(|| text.to_owned());
    let exactly = doc! { "$regex": literal(&folded) };
    let mut conditions = ["search", "_id", "batch_id"]
        .map(|field| doc! { field: &exactly })
        .to_vec();
    let spellings = BTreeSet::from([text.to_owned(), text.nfc().collect(), text.nfd().collect()]);
    for spelling in spellings {
        let pattern = doc! { "$regex": literal(&spelling), "$options": "i" };
        let earlier =
            ["source.filename", "external_id"].map(|field| doc! { field: &pattern, "search": null });
        conditions.extend(earlier);
    }
    conditions
}

/// Returns a PCRE pattern that matches this text literally.
fn literal(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || !c.is_ascii() => pattern.push(c),
            c => pattern.push_str(&format!("\\x{{{:x}}}", u32::from(c))),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longest pattern that MongoDB accepts, in bytes.
    const MAX_PATTERN: usize = 32_764;

    #[test]
    fn a_search_text_is_no_pattern() {
        assert_eq!(literal("a.b*é"), "a\\x{2e}b\\x{2a}é");
        assert_eq!(literal("\0"), "\\x{0}");
    }

    #[test]
    fn the_longest_search_fits_into_patterns() {
        for c in ['\u{fdfa}', '\0', 'ΐ', '\u{1d160}', '.'] {
            let conditions = containing(&c.to_string().repeat(200));
            for condition in conditions {
                let (_, pattern) = condition.iter().next().unwrap();
                let length = pattern.as_document().unwrap().get_str("$regex").unwrap().len();
                assert!(length < MAX_PATTERN, "{c:?}: {length}");
            }
        }
    }

    #[test]
    fn ignored_characters_alone_are_searched_as_they_are() {
        let conditions = containing("\u{ad}");
        assert_eq!(conditions[0], doc! { "search": { "$regex": "\u{ad}" } });
    }
}
