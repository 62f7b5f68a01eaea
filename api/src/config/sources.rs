//! Setting `VIDP_SOURCE_BUCKETS`: the objects that jobs by reference may name.

use anyhow::{Result, ensure};
use std::str::FromStr;

/// Placeholder of the tenant's name in a prefix.
const TENANT: &str = "{tenant}";

/// Objects that clients may name: those of one bucket, below a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    bucket: String,
    prefix: String,
}

impl FromStr for Allowed {
    type Err = anyhow::Error;

    /// Parses `bucket` or `bucket/prefix`; fails without a bucket, and when one tenant's prefix could begin with another's.
    fn from_str(text: &str) -> Result<Self> {
        let (bucket, prefix) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
        ensure!(
            !bucket.is_empty(),
            "the name of the bucket is missing; expected `bucket` or `bucket/prefix`"
        );
        ensure!(
            prefix
                .rsplit_once(TENANT)
                .is_none_or(|(_, rest)| rest.contains('/')),
            "without a slash after {TENANT}, the tenant `acme` could read the files of `acme2`; write {text}/"
        );
        Ok(Allowed {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl Allowed {
    /// True if the objects are in this bucket.
    pub fn is_bucket(&self, bucket: &str) -> bool {
        self.bucket == bucket
    }

    /// True if this tenant may name this object.
    pub fn holds(&self, tenant: &str, bucket: &str, key: &str) -> bool {
        self.bucket == bucket && key.starts_with(&self.prefix.replace(TENANT, tenant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_reads_only_below_its_prefix() {
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
        check("films/{tenant}-in/", "acme-in/a.mp4", true);
        for refused in ["/in", "films/{tenant}", "films/in/{tenant}-"] {
            assert!(refused.parse::<Allowed>().is_err(), "{refused}");
        }
    }
}
