//! Permitted sources of jobs by reference: objects in the configured buckets, and URLs with permitted addresses.

use crate::{
    config::ApiConfig,
    http::problem::{Code, Problem},
};
use url::Url;
use vidp_pipeline::outbound;
use vidp_record::source::Reference;

/// Longest key of an object, which is S3's limit, and longest URL, in bytes.
const MAX_LENGTH: usize = 1024;

/// Checks the source of a job by reference.
///
/// # Errors
/// 400 for a malformed reference; 403 if the tenant may not name this source.
pub(crate) fn check(config: &ApiConfig, tenant: &str, reference: &Reference) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(Code::SourceNotAllowed, detail));
    match reference {
        Reference::Object { bucket, key } if key.is_empty() || key.len() > MAX_LENGTH => {
            Err(Problem::invalid(format!(
                "source: an object key in {bucket} must have 1 to {MAX_LENGTH} bytes"
            )))
        }
        Reference::Object { key, .. } if key.split('/').any(|segment| ["", ".", ".."].contains(&segment)) => {
            Err(Problem::invalid(
                "source: an object key must have no empty segments, `.` or `..`, which a store may resolve",
            ))
        }
        Reference::Object { bucket, key } => {
            let mut allowed = config.source_buckets.iter();
            match allowed.any(|allowed| allowed.holds(tenant, bucket, key)) {
                true => Ok(()),
                false => refuse(format!(
                    "source: {reference} is not in a permitted bucket and prefix"
                )),
            }
        }
        Reference::Url { .. } if !config.fetch_urls => {
            refuse("source: this server does not fetch URLs (VIDP_FETCH_URLS)".to_owned())
        }
        Reference::Url { url } => {
            let parsed = Url::parse(url).ok().filter(|_| url.len() <= MAX_LENGTH);
            let Some(parsed) = parsed else {
                return Err(Problem::invalid(format!(
                    "source: must be a URL of at most {MAX_LENGTH} bytes"
                )));
            };
            outbound::check(&parsed, &config.outbound())
                .or_else(|refused| refuse(format!("source: {refused}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_key_names_one_object_below_the_prefix() {
        let config = ApiConfig::parse_from(["vidp-api", "--source-buckets=films/{tenant}/"]);
        let check = |key: &str, expected: Option<Code>| {
            let reference = Reference::Object {
                bucket: "films".to_owned(),
                key: key.to_owned(),
            };
            let refused = super::check(&config, "acme", &reference).err();
            assert_eq!(refused.map(|problem| problem.code()), expected, "{key}");
        };
        check("acme/a.mp4", None);
        check("acme/..a/b..mp4", None);
        check("acme2/a.mp4", Some(Code::SourceNotAllowed));
        for key in [
            "",
            "acme/../acme2/a.mp4",
            "acme/./a.mp4",
            "acme//a.mp4",
            "acme/a/..",
            "/acme/a.mp4",
            "acme/",
        ] {
            check(key, Some(Code::InvalidRequest));
        }
    }
}
