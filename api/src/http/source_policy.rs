//! Which sources a tenant may name: objects of the allowed buckets, and URLs that lead to allowed addresses.

use crate::{
    config::ApiConfig,
    http::problem::{Code, Problem},
};
use url::Url;
use vidp_pipeline::outbound;
use vidp_record::source::Reference;

/// Longest key of an object, by S3's rules, and longest URL. Bytes.
const MAX_LENGTH: usize = 1024;

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
