//! Copies one source to the job's key in the bucket, within limits of size and time.

use super::{
    store::{not_stored, store},
    upload::{in_place, joined},
    web::request,
};
use crate::Pipeline;
use reqwest::{Client, header};
use std::time::Duration;
use tokio::time::timeout;
use vidp_contract::FailureCode;
use vidp_record::{
    job::Job,
    plan::fetch::Failed,
    source::{Reference, SourceState},
};

/// Time limit of a whole transfer.
const TRANSFER_LIMIT: Duration = Duration::from_secs(3600);

/// Copies the source and returns its new state for the record.
pub(super) async fn copy(pipeline: &Pipeline, web: &Client, job: &Job) -> Result<SourceState, Failed> {
    let copied = async {
        let Some(from) = &job.source.reference else {
            return match job.is_in_place() {
                true => in_place(pipeline, job).await,
                false => joined(pipeline, job).await,
            };
        };
        match from {
            Reference::Object { bucket, key } => {
                let object = pipeline
                    .store
                    .beside(bucket)
                    .get(key, None)
                    .await
                    .map_err(not_stored)?;
                let (kind, size) = (object.content_type().map(str::to_owned), object.content_length());
                let body = tokio_util::io::ReaderStream::new(object.body.into_async_read());
                store(
                    pipeline,
                    job,
                    kind,
                    size.and_then(|size| size.try_into().ok()),
                    body,
                )
                .await
            }
            Reference::Url { url } => {
                let answer = request(pipeline, web, url).await?;
                let kind = answer.headers().get(header::CONTENT_TYPE);
                let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
                let size = answer.content_length();
                store(pipeline, job, kind, size, answer.bytes_stream()).await
            }
        }
    };
    timeout(TRANSFER_LIMIT, copied).await.unwrap_or_else(|_| {
        Err(Failed::permanent(
            FailureCode::TimedOut,
            "the source took longer than an hour to fetch",
        ))
    })
}
