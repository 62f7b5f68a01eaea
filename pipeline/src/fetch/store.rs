//! One copy: from where the reference leads to the job's place in the bucket, bounded in size and time.

use crate::{Pipeline, outbound, part_hashes::Check};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::try_unfold};
use ipnet::IpNet;
use reqwest::{Client, StatusCode, Url, header};
use sha2::{Digest, Sha256};
use std::{pin::pin, time::Duration};
use tokio::time::timeout;
use uuid::Uuid;
use vidp_common::store::{Multipart, Store, StoreError};
use vidp_contract::{FailureCode, hex, keys};
use vidp_record::{
    job::Job,
    plan::fetch::Failed,
    source::{Pieces, Reference, SourceState, plain_type},
};

/// Without a byte for so long a transfer is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// A whole transfer.
const TIME: Duration = Duration::from_secs(3600);

/// What fetches URLs: made once, for it reads the roots of trust.
pub fn client(allowed: &[IpNet]) -> reqwest::Result<Client> {
    let client = outbound::client(allowed).redirect(outbound::redirects(allowed));
    client.read_timeout(SILENCE).build()
}

/// A failure of the object store, as the end of a try.
fn not_stored(error: StoreError) -> Failed {
    match error {
        StoreError::Missing { key } => {
            Failed::permanent(FailureCode::SourceMissing, format!("there is no object {key}"))
        }
        error => Failed::Transient(error.to_string()),
    }
}

/// Copies the source; gives what is to be recorded of it.
pub async fn copy(pipeline: &Pipeline, web: &Client, job: &Job) -> Result<SourceState, Failed> {
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
    timeout(TIME, copied).await.unwrap_or_else(|_| {
        Err(Failed::permanent(
            FailureCode::TimedOut,
            "the source took longer than an hour to fetch",
        ))
    })
}

/// The client has sent it to its place: it is only read, for its hash.
async fn in_place(pipeline: &Pipeline, job: &Job) -> Result<SourceState, Failed> {
    let mut bytes = Box::pin(read(pipeline.store.clone(), job.id, job.source.parts.first().cloned()).await?);
    let (mut hash, mut size) = (Sha256::new(), 0);
    while let Some(piece) = bytes.try_next().await? {
        hash.update(&piece);
        size += piece.len() as i64;
    }
    if job.source.size > 0 && job.source.size != size {
        let detail = format!(
            "the source has {size} bytes, not {} as announced",
            job.source.size
        );
        return Err(Failed::permanent(FailureCode::SourceCorrupt, detail));
    }
    let source = SourceState {
        parts: Vec::new(),
        size,
        sha256: hex(&hash.finalize()),
        ..job.source.clone()
    };
    is_wanted(job, &source.sha256)?;
    Ok(source)
}

/// The bytes of an upload, as long as they are what they were.
async fn read(
    from: Store,
    id: Uuid,
    pieces: Option<Pieces>,
) -> Result<impl Stream<Item = Result<Bytes, Failed>>, Failed> {
    let object = from.get(&keys::source(id), None).await.map_err(not_stored)?;
    let bytes = tokio_util::io::ReaderStream::new(object.body.into_async_read());
    let bytes = bytes.map_err(|error| Failed::transient(format!("the transfer broke off: {error}")));
    let changed = || Failed::transient("what was read of the upload is not what was sent");
    let state = (Box::pin(bytes), pieces.as_ref().map(Check::new));
    Ok(try_unfold(state, move |(mut bytes, mut check)| async move {
        let piece = bytes.try_next().await?;
        let same = match (&piece, &mut check) {
            (_, None) => true,
            (Some(piece), Some(check)) => check.update(piece),
            (None, Some(check)) => check.ends(),
        };
        match same {
            true => Ok(piece.map(|piece| (piece, (bytes, check)))),
            false => Err(changed()),
        }
    }))
}

/// Puts together what came in several uploads.
async fn joined(pipeline: &Pipeline, job: &Job) -> Result<SourceState, Failed> {
    let objects = futures_util::stream::iter(job.source.parts.clone()).then(|pieces| {
        let from = pipeline.store.clone();
        async move {
            let id = pieces.upload.parse().map_err(Failed::transient)?;
            read(from, id, Some(pieces)).await
        }
    });
    let size = job.source.size.cast_unsigned();
    let mut source = store(pipeline, job, None, Some(size), objects.try_flatten()).await?;
    source.parts.clear();
    Ok(source)
}

/// It is the file that the client says it is.
fn is_wanted(job: &Job, sha256: &str) -> Result<(), Failed> {
    match &job.source.wanted_sha256 {
        Some(wanted) if wanted != sha256 => Err(Failed::permanent(
            FailureCode::SourceCorrupt,
            format!("the source has the SHA-256 {sha256}, not {wanted}"),
        )),
        _ => Ok(()),
    }
}

/// Asks for a URL, looked at once more: the settings may have changed since the job was made.
async fn request(pipeline: &Pipeline, web: &Client, url: &str) -> Result<reqwest::Response, Failed> {
    let refused = |detail: String| Failed::permanent(FailureCode::SourceMissing, detail);
    let allowed = &pipeline.settings.outbound_allow;
    let url = Url::parse(url).map_err(|error| refused(error.to_string()))?;
    outbound::check(&url, allowed).map_err(|error| refused(error.to_string()))?;
    let answer = web.get(url).send().await.map_err(|error| {
        let error = error.without_url();
        match outbound::refusal(&error) {
            Some(reason) => refused(reason.to_string()),
            None => Failed::Transient(format!("the server cannot be reached: {error}")),
        }
    })?;
    match answer.status() {
        status if status.is_success() => Ok(answer),
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
            Err(Failed::Transient(format!("the server answers {status}")))
        }
        status if status.is_server_error() => Err(Failed::Transient(format!("the server answers {status}"))),
        status => Err(refused(format!("the server answers {status}"))),
    }
}

async fn store<E: std::fmt::Display>(
    pipeline: &Pipeline,
    job: &Job,
    content_type: Option<String>,
    size: Option<u64>,
    body: impl Stream<Item = Result<Bytes, E>>,
) -> Result<SourceState, Failed> {
    let max = pipeline.settings.max_source();
    let too_large = || {
        let limit = pipeline.settings.max_source_mb;
        Failed::permanent(
            FailureCode::MediaTooLarge,
            format!("the source is larger than {limit} MB"),
        )
    };
    if size.is_some_and(|size| size > max) {
        return Err(too_large());
    }
    let mut source = job.source.clone();
    if let Some(content_type) = content_type.filter(|_| source.content_type.is_empty()) {
        source.content_type = plain_type(&content_type);
    }
    let mut upload = Multipart::start(&pipeline.store, &keys::source(job.id), &source.content_type, max)
        .await
        .map_err(not_stored)?;
    let mut body = pin!(body.map_err(|error| Failed::Transient(format!("the transfer broke off: {error}"))));
    let stalled = |_| Failed::transient("the transfer stood still");
    while let Some(piece) = timeout(SILENCE, body.next()).await.map_err(stalled)? {
        let piece = piece?;
        if upload.size() + piece.len() as u64 > max {
            return Err(too_large());
        }
        upload.write(piece).await.map_err(not_stored)?;
    }
    if upload.size() == 0 {
        return Err(Failed::permanent(
            FailureCode::UnsupportedMedia,
            "the source is empty",
        ));
    }
    if size.is_some_and(|size| size != upload.size()) {
        return Err(Failed::Transient("the transfer ended early".to_owned()));
    }
    is_wanted(job, &upload.sha256())?;
    let stored = upload.complete().await.map_err(not_stored)?;
    source.size = stored.size.cast_signed();
    source.sha256 = stored.sha256;
    Ok(source)
}
