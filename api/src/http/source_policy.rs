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
            outbound::check(&parsed, &config.outbound_allow)
                .or_else(|refused| refuse(format!("source: {refused}")))
        }
    }
}
