//! The objects that jobs by reference may name.

use anyhow::{Result, ensure};
use std::str::FromStr;

/// The place of the tenant's name in a prefix.
const TENANT: &str = "{tenant}";

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

    /// Whether a tenant may name this object.
    pub fn holds(&self, tenant: &str, bucket: &str, key: &str) -> bool {
        self.bucket == bucket && key.starts_with(&self.prefix.replace(TENANT, tenant))
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
