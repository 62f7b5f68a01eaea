//! Sources by reference: an object of another bucket, or a URL. What a client may name, and how it is read.

use crate::{
    config::ApiConfig,
    outbound,
    problem::{Code, Problem},
};
use anyhow::{Result, ensure};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// In a prefix, the place of the tenant's name.
const TENANT: &str = "{tenant}";
/// Longest key of an object, by S3's rules, and longest URL. Bytes.
const MAX_LENGTH: usize = 1024;

/// Where a source is fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum Reference {
    /// An object of the same object store.
    Object {
        /// A bucket that the server's settings allow.
        bucket: String,
        /// The object's key, below the allowed prefix.
        key: String,
    },
    /// A file on the web.
    Url {
        /// `https`, and a public address.
        #[schema(max_length = 1024, pattern = "^https?://")]
        url: String,
    },
}

impl Reference {
    /// The last part of its path, as a file's name.
    pub fn file_name(&self) -> String {
        match self {
            Reference::Object { key, .. } => key.rsplit('/').next().unwrap_or_default().to_owned(),
            Reference::Url { url } => Url::parse(url)
                .ok()
                .and_then(|url| Some(url.path_segments()?.next_back()?.to_owned()))
                .unwrap_or_default(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Object { bucket, key } => write!(f, "{bucket}/{key}"),
            // What follows the path may be a secret, as in a presigned URL.
            Reference::Url { url } => f.write_str(url.split(['?', '#']).next().unwrap_or_default()),
        }
    }
}

/// Objects that clients may name: those of a bucket, below a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    bucket: String,
    prefix: String,
}

impl FromStr for Allowed {
    type Err = anyhow::Error;

    /// `bucket` or `bucket/prefix`.
    fn from_str(text: &str) -> Result<Self> {
        let (bucket, prefix) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
        ensure!(!bucket.is_empty(), "a bucket's name is missing");
        Ok(Allowed {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl Allowed {
    /// Whether its objects are in this bucket.
    pub fn is_bucket(&self, bucket: &str) -> bool {
        self.bucket == bucket
    }

    fn holds(&self, tenant: &str, bucket: &str, key: &str) -> bool {
        self.bucket == bucket && key.starts_with(&self.prefix.replace(TENANT, tenant))
    }
}

/// Refuses what this tenant may not name.
pub fn check(config: &ApiConfig, tenant: &str, reference: &Reference) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(Code::SourceNotAllowed, detail));
    match reference {
        Reference::Object { bucket, key } if key.is_empty() || key.len() > MAX_LENGTH => {
            Err(Problem::invalid(format!(
                "source: a key of {bucket} must be 1 to {MAX_LENGTH} bytes"
            )))
        }
        Reference::Object { bucket, key } => {
            let mut allowed = config.source_buckets.iter();
            match allowed.any(|allowed| allowed.holds(tenant, bucket, key)) {
                true => Ok(()),
                false => refuse(format!(
                    "source: {reference} is in no bucket and prefix that is allowed"
                )),
            }
        }
        Reference::Url { .. } if !config.fetch_urls => {
            refuse("source: this server fetches no URLs (VIDP_FETCH_URLS)".to_owned())
        }
        Reference::Url { url } => {
            let parsed = Url::parse(url).ok().filter(|_| url.len() <= MAX_LENGTH);
            let Some(parsed) = parsed else {
                return Err(Problem::invalid(format!(
                    "source: not a URL of at most {MAX_LENGTH} bytes"
                )));
            };
            outbound::check(&parsed, &config.outbound_allow)
                .or_else(|refused| refuse(format!("source: {refused}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_reads_below_its_prefix_alone() {
        let check = |allowed: &str, key: &str, expected: bool| {
            let allowed: Allowed = allowed.parse().unwrap();
            assert_eq!(allowed.holds("acme", "films", key), expected, "{allowed:?} {key}");
        };
        check("films", "a.mp4", true);
        check("films/in/", "in/a.mp4", true);
        check("films/in/", "out/a.mp4", false);
        check("films/{tenant}/", "acme/a.mp4", true);
        check("films/{tenant}/", "acme2/a.mp4", false);
        check("other", "a.mp4", false);
        assert!("/in".parse::<Allowed>().is_err());
    }

    #[test]
    fn a_reference_is_one_of_two() {
        let read = |text: &str| serde_json::from_str::<Reference>(text).ok();
        let object = read(r#"{"bucket": "films", "key": "a/b.mp4"}"#).unwrap();
        assert_eq!(
            (object.file_name(), object.to_string()),
            ("b.mp4".into(), "films/a/b.mp4".into())
        );
        let url = read(r#"{"url": "https://example.com/a/b.mp4?token=secret"}"#).unwrap();
        assert_eq!(
            (url.file_name(), url.to_string()),
            ("b.mp4".into(), "https://example.com/a/b.mp4".into())
        );
        assert_eq!(read(r#"{"url": "https://example.com/a", "key": "b"}"#), None);
        assert_eq!(read(r#"{"bucket": "films"}"#), None);
    }
}
