//! Sources by reference: an object of another bucket, or a URL. What a client may name, and how it is read.

use crate::{config::ApiConfig, http::problem::{Code, Problem}};
use vidp_pipeline::outbound;
use anyhow::{Result, ensure};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// In a prefix, the place of the tenant's name.
const TENANT: &str = "{tenant}";
/// Longest key of an object, by S3's rules, and longest URL. Bytes.
const MAX_LENGTH: usize = 1024;

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
}
