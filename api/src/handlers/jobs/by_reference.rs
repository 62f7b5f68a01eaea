//! A job whose source the server fetches. The request only stores the job, which records what to fetch; the fetch starts
//! after the answer.

use super::received::Received;
use crate::{
    auth::Caller,
    config::ApiConfig,
    http::{
        digest::wanted_hash,
        idempotency::{self, Begun},
        options,
        problem::{Code, Problem},
        source_policy,
    },
    state::Intake,
};
use axum::body::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tracing::Span;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_common::trace;
use vidp_contract::{JobOptions, merge_patch};
use vidp_record::{
    db::Open,
    job::Job,
    source::{Fetch, Reference, plain_name},
    time::DateTime,
};

/// A source for the server to fetch, and the options of its job.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ByReference {
    /// Location of the source.
    source: Reference,
    /// Name of the file. Default: the last part of the source's path.
    #[schema(max_length = 255)]
    filename: Option<String>,
    /// Expected SHA-256 of the source in hexadecimal. The job fails with `source_corrupt` when the source has another hash.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: Option<String>,
    /// Options of the job.
    #[schema(value_type = Option<JobOptions>)]
    options: Option<Value>,
}

impl ByReference {
    /// Parses JSON.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Problem> {
        serde_json::from_slice(text).map_err(|error| Problem::invalid(format!("body: {error}")))
    }

    /// The job, checked but not stored. `defaults` are the options that the reference does not set.
    pub(crate) fn job(self, config: &ApiConfig, tenant: &str, defaults: &Value) -> Result<Job, Problem> {
        source_policy::check(config, tenant, &self.source)?;
        let wanted_sha256 = wanted_hash(self.sha256)?;
        let wanted = match (defaults.clone(), self.options) {
            (defaults, None) => defaults,
            (Value::Null, Some(own)) => own,
            (mut both, Some(own)) => {
                merge_patch(&mut both, own);
                both
            }
        };
        let options = match wanted {
            Value::Null => JobOptions::default(),
            wanted => options::parse(&wanted.to_string())?,
        };
        let name = self.filename.unwrap_or_else(|| self.source.file_name());
        let now = DateTime::now();
        let mut job = Job::uploading(
            Uuid::now_v7(),
            tenant.to_owned(),
            options,
            plain_name(&name),
            String::new(),
            now,
        );
        job.source.reference = Some(self.source);
        job.source.wanted_sha256 = wanted_sha256;
        job.fetch = Some(Fetch::new(now));
        Ok(job)
    }
}

/// Stores the job of one request, or finds the job of an earlier request with the same key.
pub(super) async fn create(
    intake: &Intake,
    caller: &Caller,
    key: Option<String>,
    body: Bytes,
) -> Result<Received, Problem> {
    let mut job = ByReference::parse(&body)?.job(&intake.config, &caller.tenant, &Value::Null)?;
    let mut size = 0;
    if let Some(Reference::Object { bucket, key }) = &job.source.reference {
        let found = intake.pipeline.store.beside(bucket).size(key).await?;
        let missing = || {
            Problem::new(
                Code::NotFound,
                format!("the object {bucket}/{key} does not exist"),
            )
        };
        size = found.ok_or_else(missing)?;
        let new = Open { jobs: 0, bytes: size };
        intake.limits.admit(&intake.pipeline, caller, new).await?;
    }
    job.source.size = size.min(intake.config.max_upload()).cast_signed();
    let span = Span::current();
    job.trace = trace::of_span(&span);
    span.record("job", tracing::field::display(job.id));
    span.record("trace_id", job.trace().trace_id());
    if key.is_some() {
        let source = &job.source;
        let request = (
            &job.options,
            &source.filename,
            &source.reference,
            &source.wanted_sha256,
        );
        job.request_hash = Some(idempotency::request_hash(&request)?);
        job.idempotency_key = key;
    }
    match idempotency::begin(&intake.pipeline, &job).await? {
        Begun::Existing(before) => {
            let job = idempotency::replay(*before, &job)?;
            Ok(Received { job, replayed: true })
        }
        Begun::New => Ok(Received { job, replayed: false }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    /// The command line merges a manifest's line in the same way: `cli/src/commands/batch/manifest.rs`.
    #[test]
    fn options_of_an_item_merge_deep_over_those_of_its_batch() {
        let config = ApiConfig::parse_from(["vidp-api", "--fetch-urls"]);
        let check = |defaults: Value, own: Value, expected: Value| {
            let item = json!({ "source": { "url": "https://example.com/a.mp4" }, "options": own });
            let item = ByReference::parse(item.to_string().as_bytes()).unwrap();
            let job = item.job(&config, "acme", &defaults).unwrap();
            let expected: JobOptions = serde_json::from_value(expected).unwrap();
            assert_eq!(job.options, expected, "{defaults} {own}");
        };
        let batch = json!({ "scale": { "renditions": ["480p"] }, "subtitle": { "translate": true } });
        let both =
            json!({ "scale": { "renditions": ["480p"], "crf": 30 }, "subtitle": { "translate": true } });
        check(batch.clone(), json!({ "scale": { "crf": 30 } }), both);
        check(batch.clone(), Value::Null, batch.clone());
        check(
            Value::Null,
            json!({ "lane": "batch" }),
            json!({ "lane": "batch" }),
        );
        // Null takes a member of the batch away (RFC 7396).
        check(
            batch,
            json!({ "scale": { "renditions": null } }),
            json!({ "subtitle": { "translate": true } }),
        );
    }
}
